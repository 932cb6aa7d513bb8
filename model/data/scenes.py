"""Synthetic street scenes with exact labels: seeded, unlimited, nothing to download.

A scene is painted from far to near (sky, buildings, road, pavements, then objects sorted by
distance), every shape at once into the picture and into the label map, so labels are exact to
the pixel. Light, texture, shadows and noise touch the picture only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

CLASSES = (
    "sky", "building", "road", "sidewalk", "vegetation",
    "grass", "car", "person", "pole", "sign",
)  # fmt: skip
SKY, BUILDING, ROAD, SIDEWALK, VEGETATION, GRASS, CAR, PERSON, POLE, SIGN = range(len(CLASSES))
SIZE = (192, 256)
"""Default (height, width) in pixels."""

Color = tuple[int, int, int]
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Scene:
    """A picture uint8 [H, W, 3] and its labels uint8 [H, W] (indices of CLASSES)."""

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]


class _Painter:
    """Draws every shape into the picture and the label map alike."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.rng, self.height, self.width = rng, height, width
        self.unit = height / 192
        self.picture = Image.new("RGB", (width, height))
        self.labels = Image.new("L", (width, height), SKY)
        self.draw_picture = ImageDraw.Draw(self.picture)
        self.draw_labels = ImageDraw.Draw(self.labels)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def tint(self, color: Color, spread: float = 18) -> Color:
        """The colour, a little different each time."""
        r, g, b = np.clip(self.rng.normal(color, spread), 0, 255).astype(int).tolist()
        return r, g, b

    def polygon(self, points: Points, color: Color, label: int | None) -> None:
        self.draw_picture.polygon(points, fill=color)
        if label is not None:
            self.draw_labels.polygon(points, fill=label)

    def box(self, x: float, y: float, width: float, height: float, color: Color, label: int | None) -> None:
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], color, label)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: Color, label: int | None) -> None:
        bounds = (x - rx, y - ry, x + rx, y + ry)
        self.draw_picture.ellipse(bounds, fill=color)
        if label is not None:
            self.draw_labels.ellipse(bounds, fill=label)


def _sky(p: _Painter, horizon: float, ground: float) -> None:
    top = np.array(p.tint((95, 150, 215), 25))
    low = np.array(p.tint((200, 215, 230), 12))
    for y in range(int(ground) + 1):
        r, g, b = (top + (low - top) * y / ground).astype(int).tolist()
        p.draw_picture.line([(0, y), (p.width, y)], fill=(r, g, b))
    for _ in range(p.rng.integers(0, 4)):
        x, middle = p.uniform(0, p.width), p.uniform(0, 0.7 * horizon)
        for _ in range(5):
            dx, dy = p.uniform(-25, 25) * p.unit, p.uniform(-5, 5) * p.unit
            rx, ry = p.uniform(8, 22) * p.unit, p.uniform(3, 8) * p.unit
            p.ellipse(x + dx, middle + dy, rx, ry, p.tint((235, 238, 242), 5), None)


def _buildings(p: _Painter, horizon: float, ground: float) -> None:
    x = p.uniform(-20, 5) * p.unit
    while x < p.width:
        width = p.uniform(28, 75) * p.unit
        if p.rng.random() < 0.8:
            top = horizon * p.uniform(0.12, 0.8)
            shade = [(165, 120, 100), (150, 145, 140), (190, 170, 140), (120, 105, 110)]
            wall = p.tint(shade[p.rng.integers(len(shade))])
            p.box(x, top, width, ground - top, wall, BUILDING)
            glass = p.tint((70, 80, 95) if p.rng.random() < 0.7 else (220, 205, 130), 10)
            step, pane = p.uniform(9, 14) * p.unit, p.uniform(3.5, 6) * p.unit
            for wy in np.arange(top + step / 2, ground - step, step):
                for wx in np.arange(x + step / 2, x + width - pane, step):
                    p.box(float(wx), float(wy), pane, pane * 1.3, glass, None)
        x += width + (p.uniform(5, 30) * p.unit if p.rng.random() < 0.3 else 0)


def _ground(p: _Painter, horizon: float) -> None:
    """Grass everywhere below the horizon, then pavement, then the road with its markings."""
    h, w = p.height, p.width
    vanish = p.uniform(0.3, 0.7) * w
    near, far = p.uniform(0.42, 0.6) * w, p.uniform(0.02, 0.06) * w
    centre = w / 2 + p.uniform(-0.12, 0.12) * w
    kerb = p.uniform(1.35, 1.75)
    p.box(0, horizon, w, h - horizon, p.tint((95, 140, 70)), GRASS)

    def trapezoid(scale: float) -> Points:
        return [(vanish - far * scale, horizon), (vanish + far * scale, horizon),
                (centre + near * scale, h), (centre - near * scale, h)]  # fmt: skip

    p.polygon(trapezoid(kerb), p.tint((170, 160, 150), 12), SIDEWALK)
    p.polygon(trapezoid(1.0), p.tint((85, 85, 90), 12), ROAD)
    if p.rng.random() < 0.8:
        for near_t, far_t in ((1.0, 0.8), (0.6, 0.45), (0.33, 0.25), (0.16, 0.12)):
            corners = []
            for t, side in ((far_t, -1), (far_t, 1), (near_t, 1), (near_t, -1)):
                x = vanish + (centre - vanish) * t + side * 0.012 * w * t
                corners.append((x, horizon + (h - horizon) * t))
            p.polygon(corners, p.tint((220, 220, 210), 8), ROAD)


def _tree(p: _Painter, x: float, foot: float, scale: float) -> None:
    trunk, crown = p.uniform(26, 44) * scale, p.uniform(14, 24) * scale
    p.box(x - 2 * scale, foot - trunk, 4 * scale, trunk, p.tint((90, 65, 45), 10), VEGETATION)
    green = p.tint((50, 95, 40))
    for _ in range(9):
        dx, dy = p.rng.normal(0, crown * 0.45, 2).tolist()
        radius = p.uniform(0.4, 0.75) * crown
        p.ellipse(x + dx, foot - trunk + dy, radius, radius, p.tint(green, 9), VEGETATION)


def _car(p: _Painter, x: float, foot: float, scale: float) -> None:
    long, high = p.uniform(42, 62) * scale, p.uniform(11, 15) * scale
    paints = [(180, 30, 35), (35, 60, 150), (225, 225, 225), (40, 40, 45), (200, 170, 40)]
    paint = p.tint(paints[p.rng.integers(len(paints))], 12)
    wheel = 5 * scale
    body = foot - wheel - high
    p.box(x, body, long, high, paint, CAR)
    cabin = [(x + 0.18 * long, body), (x + 0.3 * long, body - 0.8 * high),
             (x + 0.72 * long, body - 0.8 * high), (x + 0.85 * long, body)]  # fmt: skip
    p.polygon(cabin, paint, CAR)
    glass = [(x + 0.25 * long, body), (x + 0.33 * long, body - 0.6 * high),
             (x + 0.69 * long, body - 0.6 * high), (x + 0.78 * long, body)]  # fmt: skip
    p.polygon(glass, p.tint((120, 140, 155), 8), CAR)
    for at in (0.22, 0.78):
        p.ellipse(x + at * long, foot - wheel, wheel, wheel, (22, 22, 24), CAR)


def _person(p: _Painter, x: float, foot: float, scale: float) -> None:
    tall, wide = p.uniform(36, 46) * scale, p.uniform(12, 15) * scale
    head = 0.085 * tall + 0.8 * scale
    p.box(x - 0.4 * wide, foot - 0.45 * tall, 0.36 * wide, 0.45 * tall, p.tint((50, 55, 80)), PERSON)
    p.box(x + 0.04 * wide, foot - 0.45 * tall, 0.36 * wide, 0.45 * tall, p.tint((50, 55, 80)), PERSON)
    shirts = [(200, 60, 120), (230, 140, 40), (70, 170, 190), (240, 235, 225), (110, 60, 150)]
    shirt = p.tint(shirts[p.rng.integers(len(shirts))], 12)
    p.box(x - wide / 2, foot - 0.82 * tall, wide, 0.42 * tall, shirt, PERSON)
    p.ellipse(x, foot - 0.82 * tall - 0.7 * head, head, head, p.tint((205, 160, 130), 15), PERSON)


def _pole(p: _Painter, x: float, foot: float, scale: float) -> None:
    tall, wide = p.uniform(50, 85) * scale, p.uniform(5.5, 7) * scale
    p.box(x - wide / 2, foot - tall, wide, tall, p.tint((120, 122, 128), 12), POLE)
    if p.rng.random() < 0.75:
        _sign(p, x, foot - tall, p.uniform(9, 13) * scale)


def _sign(p: _Painter, x: float, y: float, radius: float) -> None:
    paints = [(215, 25, 30), (20, 70, 190), (250, 205, 20)]
    paint, inner = p.tint(paints[p.rng.integers(len(paints))], 8), (245, 245, 245)
    shape = p.rng.integers(3)
    if shape == 0:
        p.ellipse(x, y, radius, radius, paint, SIGN)
        p.ellipse(x, y, 0.6 * radius, 0.6 * radius, inner, SIGN)
    elif shape == 1:
        p.box(x - radius, y - radius, 2 * radius, 2 * radius, paint, SIGN)
        p.box(x - 0.6 * radius, y - 0.2 * radius, 1.2 * radius, 0.4 * radius, inner, SIGN)
    else:
        r = 1.25 * radius
        p.polygon([(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)], paint, SIGN)
        s = 0.55 * r
        p.polygon([(x, y - s), (x + s, y + 0.8 * s), (x - s, y + 0.8 * s)], inner, SIGN)


def _objects(p: _Painter, horizon: float) -> None:
    """Trees, cars, people and poles, painted from far to near so that they hide each other."""
    kinds: list[tuple[Callable[[_Painter, float, float, float], None], int, int]] = [
        (_tree, 0, 3), (_car, 1, 4), (_person, 1, 4), (_pole, 1, 4),
    ]  # fmt: skip
    placed = [
        (p.uniform(0.25, 1.0), draw)
        for draw, low, high in kinds
        for _ in range(p.rng.integers(low, high + 1))
    ]
    for depth, draw in sorted(placed, key=lambda item: item[0]):
        foot = horizon + (p.height - horizon) * (0.12 + 0.83 * depth)
        draw(p, p.uniform(-0.05, 1.0) * p.width, foot, p.unit * (0.8 + 0.75 * depth))


def _smooth_noise(rng: np.random.Generator, height: int, width: int, cell: int) -> NDArray[np.float32]:
    """Noise in about -1..1 that changes over `cell` pixels."""
    shape = (height // cell + 2, width // cell + 2)
    coarse = Image.fromarray(rng.uniform(-1, 1, shape).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


_TEXTURE = np.array([2, 7, 5, 7, 16, 12, 3, 5, 3, 2], dtype=np.float32)
"""Strength of the fine texture per class, in grey levels."""


def _light(p: _Painter, label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Texture, shadows, light direction, exposure, colour cast and sensor noise."""
    rng, h, w = p.rng, p.height, p.width
    image: NDArray[np.floating[Any]] = np.asarray(p.picture, dtype=np.float32)
    texture = _smooth_noise(rng, h, w, 4) * _TEXTURE[label] + rng.normal(0, 3, (h, w))
    image = image + texture[..., None]
    shade: NDArray[np.floating[Any]] = 1 + 0.18 * _smooth_noise(rng, h, w, max(h // 3, 1))
    shade *= np.linspace(1 + p.uniform(-0.15, 0.15), 1 + p.uniform(-0.15, 0.15), w)[None, :]
    if rng.random() < 0.5:
        mask = Image.new("L", (w, h), 0)
        left, slant = p.uniform(0, w), p.uniform(-60, 60) * p.unit
        wide = p.uniform(20, 80) * p.unit
        ImageDraw.Draw(mask).polygon(
            [(left, h / 2), (left + wide, h / 2), (left + wide + slant, h), (left + slant, h)], fill=1
        )
        shade = shade * np.where(np.asarray(mask) > 0, p.uniform(0.55, 0.8), 1.0)
    image = image * shade[..., None] * rng.normal(1, 0.04, 3) * p.uniform(0.65, 1.2)
    image += rng.normal(0, p.uniform(1, 4), image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def generate(seed: int, size: tuple[int, int] = SIZE) -> Scene:
    """The scene of this seed; the same seed and (height, width) give the same scene."""
    height, width = size
    p = _Painter(np.random.default_rng(seed), height, width)
    horizon = p.uniform(0.36, 0.5) * height
    ground = horizon + p.uniform(2, 6) * p.unit
    _sky(p, horizon, ground)
    _buildings(p, horizon, horizon + p.uniform(4, 10) * p.unit)
    _ground(p, ground)
    _objects(p, horizon)
    label = np.asarray(p.labels)
    return Scene(image=_light(p, label), label=label)
