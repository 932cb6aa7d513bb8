"""Shapes of a DINOv2 encoder's FP32 parameters."""

from __future__ import annotations

from intarsia.model.networks.dinov2.config import Dinov2Config
from intarsia.model.networks.shapes import Shapes, encoder


def shapes(config: Dinov2Config) -> Shapes:
    """By the keys of the walk, see `model.networks.shapes`."""
    return encoder(config)
