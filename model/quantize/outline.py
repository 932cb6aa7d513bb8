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
from intarsia.model.networks import find
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.networks.shapes import Shapes
from intarsia.model.quantize.build import Builder
from intarsia.model.quantize.lower import Lowered


def outline(
    config: EncoderConfig, options: QuantizeOptions | None = None, network: str | None = None
) -> Graph:
    """The graph of `config` as quantization would make it, every scale 1 and every weight 0.

    Time and traffic depend on shapes alone, so a size can be emulated before it was trained.
    Weights and constant rows have no memory of their own (stride 0).

    network: its name where two have one kind of configuration; default: the configuration's own.
    """
    if max(config.image) > MAX_SIDE:
        raise InputError(f"image must have sides of at most {MAX_SIDE} pixels, not {list(config.image)}")
    config, name = config.integer(), network or config.network
    outlined = _Outline(_Blank(find(name).shapes(config)), _Unit(), config, options or QuantizeOptions())
    return check_graph(outlined.build(name))


class _Unit:
    """Every tensor has scale 1."""

    def scale(self, name: str, bits: int, at_least: float = 0.0) -> float:
        return 1.0


class _Blank:
    """Weights and rows are 0, LayerNorms do nothing."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def weight(self, key: str) -> NDArray[Any]:
        return np.broadcast_to(np.int8(0), self._shapes[f"{key}.weight"])

    def bias(self, key: str) -> NDArray[Any] | None:
        shape = self._shapes.get(f"{key}.bias")
        return None if shape is None else np.zeros(shape, np.int32)

    def rows(self, key: str) -> NDArray[Any]:
        return np.broadcast_to(np.float32(0), self._shapes[key])

    def norm(self, key: str) -> tuple[NDArray[Any], NDArray[Any]]:
        shape = self._shapes[f"{key}.weight"]
        return np.ones(shape), np.zeros(shape)


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
