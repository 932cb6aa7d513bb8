"""Shapes of a classifying ViT's FP32 parameters."""

from __future__ import annotations

from intarsia.model.networks.shapes import Shapes, encoder, linear, norm
from intarsia.model.networks.vit.config import ViTConfig


def shapes(config: ViTConfig) -> Shapes:
    """By the keys of the walk, see `model.networks.shapes`."""
    found = encoder(config) | norm("fc_norm", config.embed)
    for key in ("head", "head_dist"):
        found |= linear(key, config.classes, config.embed)
    return found
