"""Names and colours of a model's classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.model.colours import distinct
from intarsia.model.data import ade20k, cityscapes, scenes
from intarsia.model.data.dataset import SCENES_PALETTE
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.networks.segmenter.config import SegmenterConfig

_KNOWN = {
    "scenes": (scenes.CLASSES, SCENES_PALETTE),
    "ade20k": (ade20k.CLASSES, ade20k.PALETTE),
    "cityscapes": (cityscapes.CLASSES, cityscapes.PALETTE),
}


def legend(config: EncoderConfig) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Class names and palette uint8 [K, 3], no colour twice: the dataset's, or numbers and colours apart.

    Where a dataset paints two classes alike (ADE20K: one pair), the second gets a colour of its own.
    """
    assert isinstance(config, SegmenterConfig), "only labels have a legend"
    if config.dataset in _KNOWN:
        names, palette = _KNOWN[config.dataset]
        if len(names) == config.classes:
            return names, _unique(palette)
    return tuple(f"class {i}" for i in range(config.classes)), distinct(config.classes)


def _unique(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The palette with a new colour where one stands that came before."""
    colours = [(int(red), int(green), int(blue)) for red, green, blue in palette]
    again = [i for i, colour in enumerate(colours) if colour in colours[:i]]
    changed = palette.copy()
    changed[again] = distinct(len(again), colours)
    return changed
