"""Post-training quantization: calibrate on pictures, convert."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter
from intarsia.model.quantize.fake import FakeQuantSegmenter

MOMENTUM = 0.05
"""a of the moving averages in PTQ (numerics section 1)."""


def calibrate(
    segmenter: Segmenter,
    images: Iterable[NDArray[np.uint8]],
    options: QuantizeOptions | None = None,
) -> FakeQuantSegmenter:
    """Observe all ranges over `images`, each uint8 [H, W, 3] of the model's window.

    A parameter that is not finite is refused by name, as are activations.
    """
    for key, value in segmenter.state_dict().items():
        if not torch.isfinite(value).all():
            raise InputError(f"{key}: parameters must be finite, but it holds NaN or infinity")
    model = FakeQuantSegmenter(segmenter.eval(), options)
    count = 0
    with torch.no_grad():
        for image in images:
            wanted = (*segmenter.config.image, 3)
            if image.shape != wanted:
                raise InputError(f"calibration images must be {list(wanted)}, not {list(image.shape)}")
            model.observe(image[None], MOMENTUM)
            count += 1
    if not count:
        raise InputError("calibration needs at least one image, found none")
    return model


def quantize(
    segmenter: Segmenter,
    images: Iterable[NDArray[np.uint8]],
    options: QuantizeOptions | None = None,
) -> Graph:
    """The integer graph of `segmenter` after calibration on `images`."""
    return calibrate(segmenter, images, options).graph()
