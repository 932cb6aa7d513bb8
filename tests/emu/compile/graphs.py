"""A small network of every kind that the compiler knows, and pictures for it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.arch.machine import Machine
from intarsia.model.data.scenes import generate
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks import find
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.networks.dinov2.config import Dinov2Config
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.networks.vit.config import ViTConfig
from intarsia.model.quantize.ptq import quantize

# A head of 18 channels fills no line of 16, and 8 divides neither side of the picture.
ENCODER: dict[str, Any] = {
    "embed": 36,
    "heads": 2,
    "layers": 2,
    "image": (36, 45),
    "patch": 8,
    "mlp_ratio": 2,
}
SEGMENTER: dict[str, Any] = {**ENCODER, "decoder_layers": 1, "classes": 10, "l2norm": False}
VIT: dict[str, Any] = {**ENCODER, "normalization": "vit", "classes": 10}

KINDS: dict[str, EncoderConfig] = {
    "segmenter": SegmenterConfig(**SEGMENTER),
    "segmenter, distilled encoder": SegmenterConfig(**SEGMENTER, distilled=True),
    "linear decoder": SegmenterConfig(**SEGMENTER, decoder="linear"),
    "linear decoder, labels of 16 bits": SegmenterConfig(**{**SEGMENTER, "classes": 300}, decoder="linear"),
    "class token": ViTConfig(**VIT),
    "class token, LayerNorm behind": ViTConfig(**VIT, pool_norm=True),
    "one class": ViTConfig(**{**VIT, "classes": 1}),
    "distilled, many classes": ViTConfig(**{**VIT, "classes": 777}, distilled=True),
    "mean": ViTConfig(**VIT, pool="mean"),
    "mean, no class token": ViTConfig(**VIT, pool="mean", class_token=False, class_position=False),
    "sum, LayerNorm behind": ViTConfig(**VIT, pool="mean", pool_norm=True),
    "sum of one patch": ViTConfig(**{**VIT, "image": (5, 5)}, pool="mean", pool_norm=True),
    "LayerNorm before the blocks, no bias": ViTConfig(**VIT, pre_norm=True, qkv_bias=False),
    "positions of patches, registers": ViTConfig(**VIT, registers=4, class_position=False),
    "features": Dinov2Config(**{**ENCODER, "patch": 7}, normalization="deit", registers=3),
}


@cache
def quantized(kind: str) -> Graph:
    """The network of a kind with random weights."""
    config = KINDS[kind]
    torch.manual_seed(1)
    model = find(config.network).make(config).eval()
    return quantize(model, [generate(1, config.image).image], QuantizeOptions())


def picture(kind: str) -> NDArray[np.uint8]:
    """A picture for it, uint8 [H, W, 3]."""
    return generate(2, KINDS[kind].image).image


def small_machine(**changes: int) -> Machine:
    """A machine of few lanes with much memory for its size."""
    lanes = {f"{unit}_lanes": 4 for unit in ("shiftmax", "layernorm", "gelu", "elementwise")}
    values: dict[str, Any] = {
        "clock_mhz": 100, "lanes": 8, "depth": 8, "accumulator_rows": 64, "banks": 512, "bank_kib": 1,
        "stationary_kib": 64, "memory_width": 8, "memory_latency": 20,
    }  # fmt: skip
    return Machine(name="small", **{**values, **lanes, **changes})
