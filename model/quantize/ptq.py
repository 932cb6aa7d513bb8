"""Post-training quantization: calibrate on pictures, convert."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.modules import Model
from intarsia.model.quantize.fake import FakeQuant

MOMENTUM = 0.05
"""a of the moving averages in PTQ (numerics section 1)."""


def calibrate(
    model: Model,
    images: Iterable[NDArray[np.uint8]],
    options: QuantizeOptions | None = None,
) -> FakeQuant:
    """Observe all ranges over `images`, each uint8 [H, W, 3] of the model's window.

    A parameter that is not finite is refused by name, as are activations.
    """
    for key, value in model.state_dict().items():
        if not torch.isfinite(value).all():
            raise InputError(f"{key}: parameters must be finite, but it holds NaN or infinity")
    fake = FakeQuant(model.eval(), options)
    count = 0
    with torch.no_grad():
        for image in images:
            wanted = (*fake.config.image, 3)
            if image.shape != wanted:
                raise InputError(f"calibration images must be {list(wanted)}, not {list(image.shape)}")
            fake.observe(image[None], MOMENTUM)
            count += 1
    if not count:
        raise InputError("calibration needs at least one image, found none")
    return fake


def quantize(
    model: Model,
    images: Iterable[NDArray[np.uint8]],
    options: QuantizeOptions | None = None,
) -> Graph:
    """The integer graph of `model` after calibration on `images`."""
    return calibrate(model, images, options).graph()
