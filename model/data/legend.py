"""Names and colours of a model's classes."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from model.data import ade20k, cityscapes, scenes
from model.data.dataset import SCENES_PALETTE
from model.segmenter.config import SegmenterConfig

_KNOWN = {
    "scenes": (scenes.CLASSES, SCENES_PALETTE),
    "ade20k": (ade20k.CLASSES, ade20k.PALETTE),
    "cityscapes": (cityscapes.CLASSES, cityscapes.PALETTE),
}


def legend(config: SegmenterConfig) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Class names and palette uint8 [K, 3]: the dataset's, or numbers and spread hues."""
    if config.dataset in _KNOWN:
        names, palette = _KNOWN[config.dataset]
        if len(names) == config.classes:
            return names, palette
    golden = 0.618034  # neighbours get hues far apart
    hues = [colorsys.hsv_to_rgb(i * golden % 1, 0.6, 0.9) for i in range(config.classes)]
    return tuple(f"class {i}" for i in range(config.classes)), (np.array(hues) * 255).astype(np.uint8)
