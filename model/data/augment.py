"""Training windows cut from an annotated picture: scale, crop, flip, light, padding.

The steps and numbers are those of mmsegmentation, which the published Segmenter trains with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.model.data.images import IGNORE
from intarsia.model.data.windows import Size, covering

RATIOS = (0.5, 2.0)
"""Least and most of the random scale."""

LARGEST_SHARE = 0.75
"""A crop is drawn again while one class has this share of its labelled pixels or more."""

TRIES = 10
PADDING = 128
"""About the mean of either normalization, so that padding is near zero for the network."""


def training_window(
    image: NDArray[np.uint8],
    label: NDArray[np.uint8],
    window: Size,
    size: Size,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A random window, uint8 [h, w, 3] and its labels uint8 [h, w].

    The picture uint8 [H, W, 3] is scaled to just cover `size` times a random ratio; what is
    then smaller than the window is padded to the right and below, with IGNORE in the labels.
    """
    height, width = label.shape
    ratio = rng.uniform(*RATIOS)
    base = covering((height, width), size)
    scaled = max(round(base[0] * ratio), 1), max(round(base[1] * ratio), 1)
    crop = min(window[0], scaled[0]), min(window[1], scaled[1])
    for _ in range(TRIES):
        y, x = (int(rng.integers(s - c + 1)) for s, c in zip(scaled, crop, strict=True))
        # The centres of the scaled pixels in the source, as the bilinear filter has them.
        rows = (2 * (y + np.arange(crop[0])) + 1) * height // (2 * scaled[0])
        columns = (2 * (x + np.arange(crop[1])) + 1) * width // (2 * scaled[1])
        cut = label[rows[:, None], columns]
        if _varied(cut):
            break
    # Only the crop is resampled: a whole picture at twice its size would be thrown away.
    step_y, step_x = height / scaled[0], width / scaled[1]
    box = (x * step_x, y * step_y, min((x + crop[1]) * step_x, width), min((y + crop[0]) * step_y, height))
    patch = Image.fromarray(image).resize((crop[1], crop[0]), Image.Resampling.BILINEAR, box=box)
    if rng.random() < 0.5:
        patch, cut = patch.transpose(Image.Transpose.FLIP_LEFT_RIGHT), cut[:, ::-1]

    picture = np.full((*window, 3), PADDING, dtype=np.uint8)
    picture[: crop[0], : crop[1]] = _relit(patch, rng)
    labels = np.full(window, IGNORE, dtype=np.uint8)
    labels[: crop[0], : crop[1]] = cut
    return picture, labels


def _varied(label: NDArray[np.uint8]) -> bool:
    counts = np.bincount(label.ravel(), minlength=256)[:IGNORE]
    return bool(counts.max() < LARGEST_SHARE * counts.sum())


def _relit(picture: Image.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Brightness, contrast, saturation and hue, each changed in half of the calls."""
    values = np.asarray(picture, dtype=np.float32)
    if rng.random() < 0.5:
        values = values + rng.uniform(-32, 32)
    if rng.random() < 0.5:
        values = values * rng.uniform(0.5, 1.5)
    lit = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    saturation = rng.uniform(0.5, 1.5) if rng.random() < 0.5 else 1.0
    turn = int(rng.integers(-25, 26)) if rng.random() < 0.5 else 0  # of 256 to the full circle
    if saturation == 1.0 and turn == 0:
        return np.asarray(lit)
    hue, strength, value = lit.convert("HSV").split()
    hue = hue.point([(v + turn) % 256 for v in range(256)])
    strength = strength.point([min(round(v * saturation), 255) for v in range(256)])
    return np.asarray(Image.merge("HSV", (hue, strength, value)).convert("RGB"))
