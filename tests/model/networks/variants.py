"""Small networks of every kind, with random weights that all take part in what they give."""

from __future__ import annotations

from typing import Any

import torch

from intarsia.model.networks import find
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.networks.modules import Model

SHAPE: dict[str, Any] = {"embed": 24, "heads": 2, "layers": 2, "image": (22, 27), "patch": 8}
"""The patch does not divide the image, and heads have 12 channels."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "segmenter": ("segmenter", {"classes": 5, "decoder_layers": 1, "l2norm": False}),
    "segmenter distilled": (
        "segmenter",
        {"classes": 5, "decoder_layers": 1, "l2norm": False, "distilled": True},
    ),
    "segmenter-linear": ("segmenter-linear", {"classes": 300, "decoder": "linear"}),
    "segmenter-linear on DINOv2": (
        "segmenter-linear",
        {"classes": 5, "decoder": "linear", "registers": 3, "layer_scale": True, "patch": 7},
    ),
    "vit": ("vit", {"classes": 10, "normalization": "vit"}),
    "vit of one class": ("vit", {"classes": 1, "normalization": "vit", "heads": 1, "patch": 5}),
    "vit without qkv bias": ("vit", {"classes": 10, "normalization": "deit", "qkv_bias": False}),
    "vit with pre-norm": ("vit", {"classes": 10, "normalization": "deit", "pre_norm": True}),
    "vit with LayerScale": ("vit", {"classes": 10, "normalization": "deit", "layer_scale": True}),
    "vit, class token without position": (
        "vit",
        {"classes": 10, "normalization": "deit", "class_position": False, "registers": 2},
    ),
    "vit, mean": ("vit", {"classes": 10, "normalization": "deit", "pool": "mean", "registers": 1}),
    "vit, fc_norm": ("vit", {"classes": 10, "normalization": "deit", "pool": "mean", "pool_norm": True}),
    "vit, fc_norm, without class token": (
        "vit",
        {"classes": 10, "normalization": "deit", "pool": "mean", "pool_norm": True, "class_token": False},
    ),
    "vit, fc_norm of the class token": ("vit", {"classes": 10, "normalization": "vit", "pool_norm": True}),
    "deit distilled": ("deit", {"classes": 10, "normalization": "deit", "distilled": True}),
    "dinov2": ("dinov2", {"patch": 14}),
    "dinov2 with registers": ("dinov2", {"patch": 14, "registers": 4}),
}
"""By what is special: name of the network and numbers that differ from SHAPE."""


def config_of(variant: str) -> EncoderConfig:
    name, changes = VARIANTS[variant]
    return find(name).config(**{**SHAPE, **changes})


def model_of(variant: str) -> Model:
    """Biases, LayerNorms, tokens and gains are random too."""
    config = config_of(variant)
    torch.manual_seed(1)
    model = find(config.network).make(config)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim == 1 or "token" in key:
                parameter.add_(torch.randn_like(parameter) * 0.2)
            if parameter.ndim == 2:
                parameter.mul_(4)
    return model.eval()
