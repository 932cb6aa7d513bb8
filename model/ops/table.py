"""Any function of one byte, as a table: tanh, ReLU, GELU (numerics, "Tables")."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared
from intarsia.model.integer.rules import Constant, Input
from intarsia.model.quantize.lower import Lowered, quantize, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters

FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x * (1 + math.tanh(x / 2)) / 2,
    "tanh": math.tanh,
}
"""By the name that PyTorch gives them, too."""


class Table(Operator):
    """table[x] of int8 x [T, C], `table` int8 [256]: entry i is for the byte i, -1 is the byte 255."""

    inputs = (Input("T C", ("int8",)),)
    constants = {"table": Constant("256", "int8")}
    output = "T C"

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        return constants["table"][inputs[0].view(np.uint8)]

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        by_value = np.roll(constants["table"], 128)  # from -128 on
        return lambda inputs: kernels.lookup(kernels.whole(inputs[0]), by_value)

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        return constants["table"].double()[inputs[0].long() % 256]

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        """A negative index counts from the end, where the bytes of negative numbers are."""
        from intarsia.model.export import arithmetic

        (x,) = inputs
        return arithmetic.lookup(writer, constants["table"], writer.cast(x.name, np.int32), x.shape)

    def real(self, parameters: Parameters, x: torch.Tensor, *, function: str) -> torch.Tensor:
        import torch.nn.functional as F

        return getattr(F, known(function))(x)

    def lower(self, build: Builder, name: str, x: Tensor, *, function: str) -> Lowered:
        s_out = build.ranges.scale(name, 8)
        table = table_of(FUNCTIONS[known(function)], scale_in(x), s_out)
        return Lowered({"table": table}, {}, s_out)


def table_of(function: Callable[[float], float], s_in: float, s_out: float) -> NDArray[np.int8]:
    """int8 [256] by byte: sat8(RHE(function(v * s_in) / s_out)) for every int8 v."""
    values = np.arange(256, dtype=np.uint8).view(np.int8)
    return quantize([function(float(v) * s_in) for v in values], s_out, 8)


def known(function: str) -> str:
    """The name of a function that has a table."""
    if function not in FUNCTIONS:
        raise InputError(f"function must be {' or '.join(FUNCTIONS)}, not {function!r}")
    return function
