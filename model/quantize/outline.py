"""The integer graph of a model that has no weights: shapes and types only.

Without PyTorch, so that emulating a size starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.check import check_graph
from intarsia.model.integer.graph import Graph, QuantizeOptions, Tensor
from intarsia.model.integer.operators import Operator
from intarsia.model.integer.rules import MAX_SIDE
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.quantize.build import Builder
from intarsia.model.quantize.lower import Lowered


def outline(config: SegmenterConfig, options: QuantizeOptions | None = None) -> Graph:
    """The graph of `config` as quantization would make it, every scale 1 and every weight 0.

    Time and traffic depend on shapes alone, so a size can be emulated before it was trained.
    Weights and constant rows have no memory of their own (stride 0).
    """
    if max(config.image) > MAX_SIDE:
        raise InputError(f"image must have sides of at most {MAX_SIDE} pixels, not {list(config.image)}")
    paper = config.paper()
    return check_graph(_Outline(_Blank(paper), _Unit(), paper, options or QuantizeOptions()).build())


class _Unit:
    """Every tensor has scale 1."""

    def scale(self, name: str, bits: int, at_least: float = 0.0) -> float:
        return 1.0


class _Blank:
    """Weights and rows are 0, LayerNorms do nothing. Keys are those of the FP32 model."""

    def __init__(self, config: SegmenterConfig) -> None:
        d, hidden = config.embed, config.mlp_ratio * config.embed
        self._weights = {
            "encoder.patch_embed.proj": (d, config.patch**2 * 3), "decoder.proj_dec": (d, d),
            "decoder.proj_patch": (d, d), "decoder.proj_classes": (d, d),
            "qkv": (3 * d, d), "proj": (d, d), "fc1": (hidden, d), "fc2": (d, hidden),
        }  # fmt: skip
        self._rows = {
            "encoder.cls_token": 1,
            "encoder.pos_embed": 1 + config.patches,
            "decoder.cls_emb": config.classes,
        }
        self._config = config

    def weight(self, key: str) -> NDArray[Any]:
        return np.broadcast_to(np.int8(0), self._weights.get(key) or self._weights[key.rpartition(".")[2]])

    def bias(self, key: str) -> NDArray[Any] | None:
        free = key in ("decoder.proj_patch", "decoder.proj_classes")
        return None if free else np.zeros(len(self.weight(key)), np.int32)

    def rows(self, key: str) -> NDArray[Any]:
        return np.broadcast_to(np.float32(0), (self._rows[key], self._config.embed))

    def norm(self, key: str) -> tuple[NDArray[Any], NDArray[Any]]:
        channels = self._config.classes if key == "decoder.mask_norm" else self._config.embed
        return np.ones(channels), np.zeros(channels)


class _Outline(Builder):
    """Weights and constant rows are not looked at: there may be very many."""

    def lower(
        self,
        operator: Operator,
        name: str,
        inputs: Sequence[Tensor],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> Lowered:
        return operator.outline(self, name, *inputs, *arguments, **options)
