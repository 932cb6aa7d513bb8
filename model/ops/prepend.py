"""Constant rows before those of a tensor: the class token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator
from intarsia.model.integer.rules import Constant, Input
from intarsia.model.quantize.lower import Lowered, quantize, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Prepend(Operator):
    """The constant `rows` int16 [R, D] before the rows of x int16 [T, D]."""

    inputs = (Input("T D", ("int16",)),)
    constants = {"rows": Constant("R D", "int16")}
    output = "T+R D"
    observed = False
    order: ClassVar[int] = -1
    """Of constant rows and rows of x: -1 where the constant comes first, otherwise 1."""

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        return np.concatenate([inputs[0], constants["rows"]][:: self.order])

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        import torch

        rows = constants["rows"].to(torch.float64).expand(len(inputs[0]), -1, -1)
        return torch.cat([inputs[0], rows][:: self.order], dim=1)

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        rows = writer.constant(constants["rows"], "rows")
        return writer.op("Concat", *[inputs[0].name, rows][:: self.order], axis=0)

    def real(self, parameters: Parameters, x: torch.Tensor, key: str) -> torch.Tensor:
        import torch

        rows = parameters.rows(key).expand(len(x), -1, -1)
        return torch.cat([x, rows][:: self.order], dim=1)

    def lower(self, build: Builder, name: str, x: Tensor, key: str) -> Lowered:
        """The rows at the scale of x."""
        return Lowered({"rows": quantize(build.parameters.rows(key), scale_in(x), 16)}, {}, x.scale)
