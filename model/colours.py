"""Colours that can be told apart, as many as are wanted, no two of them equal."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_LEVELS = 12
"""Values per channel of the colours to choose from."""
_LIGHTNESS = (30.0, 85.0)
"""Of CIELAB: darker ones look black, lighter ones vanish on white."""


def lab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB uint8 [n, 3] to CIELAB [n, 3], where distances are about those that eyes see."""
    linear = colours / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    share = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    root = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def distinct(count: int, taken: Iterable[tuple[int, int, int]] = ()) -> NDArray[np.uint8]:
    """uint8 [count, 3]: each colour is as far as can be from those before it and from `taken`.

    The same for the same arguments. Beyond about a thousand they only differ, up to 2**24 in all.
    """
    known = {tuple(int(value) for value in colour) for colour in taken}
    steps = np.linspace(0, 255, _LEVELS).round().astype(np.uint8)
    choice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    place = lab(choice)
    good = (place[:, 0] >= _LIGHTNESS[0]) & (place[:, 0] <= _LIGHTNESS[1])
    choice, place = choice[good], place[good]
    # White, black and grey are the page's own.
    avoid = np.array([(255, 255, 255), (0, 0, 0), (128, 128, 128), *known], np.uint8)
    distance = np.full(len(choice), np.inf)
    for point in lab(avoid):
        distance = np.minimum(distance, ((place - point) ** 2).sum(axis=1))
    found = []
    for _ in range(min(count, len(choice))):
        best = int(distance.argmax())
        if distance[best] == 0:
            break
        found.append(tuple(choice[best].tolist()))
        distance = np.minimum(distance, ((place - place[best]) ** 2).sum(axis=1))
    known |= set(found)
    number = 0
    while len(found) < count:
        # An odd step visits every colour once.
        number = (number + 0x9E3779) % 2**24
        colour = (number >> 16, number >> 8 & 255, number & 255)
        if colour not in known:
            found.append(colour)
            known.add(colour)
    return np.array(found, np.uint8).reshape(-1, 3)


def hexadecimal(colour: Iterable[int]) -> str:
    """Red, green and blue as "#rrggbb"."""
    return "#" + "".join(f"{value:02x}" for value in colour)
