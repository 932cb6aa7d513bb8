"""Segmentation of a picture of any size by a network of a fixed window.

The procedure is the published Segmenter's: scale the picture, lay overlapping windows over it,
combine their scores, and bring the result back to the picture's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from intarsia.model.data.images import MAX_PIXELS
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter.config import DATASETS
from intarsia.model.ops.argmax import MAX_CLASSES, label_dtype

Size = tuple[int, int]
"""Height and width in pixels."""

Labels = NDArray[np.unsignedinteger[Any]]
"""Class numbers: uint8, or uint16 where there are more than 256 classes."""

Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""Pictures uint8 [batch, h, w, 3] to scores [batch, K, h, w], float or integer."""

_LINES = 64
"""Lines of scores that are finished at once: few, so that copies of them are small."""

_VALUES = 2**22
"""Scores that are interpolated at once."""


class Placement(TypedDict):
    """The arguments of `segment` that say where windows lie."""

    window: Size
    stride: Size
    size: Size


def published(dataset: str, window: Size | None = None) -> Placement:
    """What the published Segmenter does on a dataset, for its own window or another one.

    Everywhere the picture's short side becomes the window's, except on Cityscapes, whose
    pictures keep their 1024 lines and whose windows overlap by a third.
    """
    height, width = window or DATASETS[dataset]["image"]
    if dataset == "cityscapes":
        stride = (max(height * 2 // 3, 1), max(width * 2 // 3, 1))
        return Placement(window=(height, width), stride=stride, size=(max(height, 1024), max(width, 1024)))
    return Placement(window=(height, width), stride=(height, width), size=(height, width))


def segment(
    image: NDArray[np.uint8],
    predict: Predict,
    *,
    window: Size,
    stride: Size | None = None,
    size: Size | None = None,
    batch: int = 1,
    smallest: int = 1,
) -> Labels:
    """Labels [H, W] of a picture uint8 [H, W, 3].

    The picture is scaled, its proportions kept, to just cover `size` (default: the window);
    one of exactly the window's size is left alone. `predict` sees windows every `stride` pixels
    (default: the window) and a last one at the far edge, `batch` of them at a time.

    Float scores are averaged over the windows, interpolated bilinearly to H x W, then the
    highest class wins. Integer scores are summed, the highest class wins, and the labels are
    copied from the nearest pixel, [y * h // H, x * w // W]: no float anywhere. Ties go to the
    lowest class. Scores are held for one strip of windows only, so memory grows with the
    picture's shorter side.

    smallest: pictures with a side below it are refused (a network wants at least a patch).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"the picture must be uint8 [H, W, 3], not {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    stride, size = stride or window, size or window
    if not all(1 <= s <= w for s, w in zip(stride, window, strict=True)):
        raise InputError(f"stride must be from 1 to the window {window}, not {stride}")
    if not all(s >= w for s, w in zip(size, window, strict=True)):
        raise InputError(f"size must be at least the window {window}, not {size}")
    if batch < 1:
        raise InputError(f"batch must be at least 1, not {batch}")

    target = scaled_size((height, width), window, size, smallest)
    picture = image if (height, width) == target else resized(image, target)
    if picture.shape[0] >= picture.shape[1]:
        return _labels(picture, predict, window, stride, (height, width), batch)

    def turned(crops: NDArray[np.uint8]) -> NDArray[Any]:
        upright = np.ascontiguousarray(crops.swapaxes(1, 2))
        return np.asarray(predict(upright)).swapaxes(2, 3)

    # The walk goes down the first axis; across the shorter side a strip holds the fewest scores.
    label = _labels(picture.swapaxes(0, 1), turned, window[::-1], stride[::-1], (width, height), batch)
    return np.ascontiguousarray(label.T)


def scaled_size(image: Size, window: Size, size: Size, smallest: int = 1) -> Size:
    """The size that `segment` brings a picture to; one that is too small or too large is refused."""
    height, width = image
    if min(height, width) < max(smallest, 1):
        raise InputError(
            f"the picture must have at least {smallest} x {smallest} pixels, "
            f"not {height} x {width} (height x width)"
        )
    if image == tuple(window):
        return image
    target = covering(image, size)
    if target[0] * target[1] > MAX_PIXELS:
        raise InputError(
            f"a picture of {height} x {width} pixels (height x width) must be scaled to at most "
            f"{MAX_PIXELS} pixels, not {target[0]} x {target[1]}: cut it into wider parts"
        )
    return target


def resized(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """The picture at another size, bilinear."""
    return np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def covering(image: Size, size: Size) -> Size:
    """The smallest size of an image's proportions with both sides at least those of `size`."""
    (height, width), (rows, columns) = image, size
    if rows * width >= columns * height:
        return rows, (2 * width * rows + height) // (2 * height)
    return (2 * height * columns + width) // (2 * width), columns


def anchors(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin: every `stride` while one fits, and flush with the end."""
    return [*range(0, length - window, stride), length - window]


def window_count(image: Size, window: Size, stride: Size, size: Size) -> int:
    """How many windows `segment` lays over a picture of this (height, width)."""
    height, width = scaled_size(image, window, size)
    return len(anchors(height, window[0], stride[0])) * len(anchors(width, window[1], stride[1]))


def highest(scores: NDArray[Any]) -> Labels:
    """Class of the highest score, scores [K, ...] to [...]; ties go to the lowest class."""
    best = scores[0].copy()
    label = np.zeros(best.shape, dtype=label_dtype(len(scores)))
    for k in range(1, len(scores)):
        label[scores[k] > best] = k
        np.maximum(best, scores[k], out=best)
    return label


def _labels(
    picture: NDArray[np.uint8], predict: Predict, window: Size, stride: Size, wanted: Size, batch: int
) -> Labels:
    """Labels of the `wanted` shape from a picture that the windows cover as it is."""
    shape = (picture.shape[0], picture.shape[1])
    down, across = (anchors(*v) for v in zip(shape, window, stride, strict=True))
    counts = _coverage(shape[0], window[0], down), _coverage(shape[1], window[1], across)
    overlap = int(counts[0].max()) * int(counts[1].max())
    scores = _scores(picture, [(y, x) for y in down for x in across], window, predict, batch)
    first = next(scores)
    pieces = _sums(chain([first], scores), _sum_type(first.dtype, overlap), down, across, shape, window)
    if first.dtype.kind == "f" and shape != wanted:
        return _interpolated(pieces, shape, wanted, counts)
    # Within a pixel the highest sum is the highest mean.
    label = np.concatenate([highest(piece) for piece in pieces])
    rows, columns = (np.arange(w) * n // w for n, w in zip(shape, wanted, strict=True))
    nearest: Labels = label[rows[:, None], columns]
    return nearest


def _scores(
    picture: NDArray[np.uint8], places: list[Size], window: Size, predict: Predict, batch: int
) -> Iterator[NDArray[Any]]:
    """Scores [K, h, w] of the window at every place, in order."""
    height, width = window
    for i in range(0, len(places), batch):
        crops = np.stack([picture[y : y + height, x : x + width] for y, x in places[i : i + batch]])
        scores = np.asarray(predict(crops))
        if scores.dtype.kind not in "iuf" or scores.ndim != 4 or not 1 <= scores.shape[1] <= MAX_CLASSES:
            raise ValueError(f"scores must be numbers [batch, K, h, w], not {scores.dtype} {scores.shape}")
        if (len(scores), *scores.shape[2:]) != (len(crops), *window):
            raise ValueError(f"{len(crops)} windows of {window} were given scores {scores.shape}")
        yield from scores


def _sums(
    scores: Iterator[NDArray[Any]],
    kind: type[np.generic],
    down: list[int],
    across: list[int],
    shape: Size,
    window: Size,
) -> Iterator[NDArray[Any]]:
    """Sums of scores [K, lines, across], each piece once no window can add to it any more.

    A piece is valid until the next one is asked for.
    """
    total: NDArray[Any] = np.zeros((0,), dtype=kind)
    for here, following in zip(down, [*down[1:], shape[0]], strict=True):
        for x in across:
            one = next(scores)
            if not total.size:
                total = np.zeros((len(one), window[0], shape[1]), dtype=kind)
            total[:, :, x : x + window[1]] += one
        done = following - here
        for line in range(0, done, _LINES):
            yield total[:, line : min(line + _LINES, done)]
        total[:, : window[0] - done] = total[:, done:]
        total[:, window[0] - done :] = 0


def _sum_type(scores: np.dtype[Any], overlap: int) -> type[np.generic]:
    """float32, or the integers that no sum over `overlap` windows can leave."""
    if scores.kind == "f":
        return np.float32
    return np.int32 if overlap * 2 ** (8 * scores.itemsize) < 2**31 else np.int64


def _coverage(length: int, window: int, places: list[int]) -> NDArray[np.int64]:
    """[length]: how many windows cover each position."""
    count = np.zeros(length, dtype=np.int64)
    for place in places:
        count[place : place + window] += 1
    return count


def _interpolated(
    pieces: Iterator[NDArray[Any]],
    shape: Size,
    wanted: Size,
    counts: tuple[NDArray[np.int64], ...],
) -> Labels:
    """Labels of the `wanted` shape from sums of scores that arrive [K, lines, across].

    Half-pixel centres, as torch's bilinear interpolation. The last line of a piece is kept for
    the lines between it and the next piece.
    """
    centre = np.maximum((np.arange(wanted[0]) + 0.5) * shape[0] / wanted[0] - 0.5, 0)
    low = np.floor(centre).astype(np.int64)
    weight = (centre - low).astype(np.float32)
    label: Labels = np.empty((0, 0), dtype=np.uint8)
    held: NDArray[Any] = np.zeros((0, 0, 0), dtype=np.float32)
    known = written = 0
    for piece in pieces:
        lines = piece.shape[1]
        mean = piece / np.outer(counts[0][known : known + lines], counts[1]).astype(np.float32)
        held = mean if known == 0 else np.concatenate([held[:, -1:], mean], axis=1)
        if known == 0:
            label = np.empty(wanted, dtype=label_dtype(len(piece)))
        known += lines
        begin = known - held.shape[1]
        step = max(1, _VALUES // (len(held) * wanted[1]))
        ready = wanted[0] if known == shape[0] else int(np.searchsorted(low, known - 1))
        while written < ready:
            part = slice(written, min(written + step, ready))
            above = low[part] - begin
            below = np.minimum(above + 1, held.shape[1] - 1)
            t = weight[part, None]
            between = held[:, above] * (1 - t) + held[:, below] * t
            rows = torch.from_numpy(between)[None]
            size = (between.shape[1], wanted[1])
            stretched = F.interpolate(rows, size=size, mode="bilinear", align_corners=False)
            label[part] = highest(stretched[0].numpy())
            written = part.stop
    return label
