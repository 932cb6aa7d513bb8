"""Some rows of a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator
from intarsia.model.integer.rules import ROW, Input, Shape, Sizes
from intarsia.model.quantize.lower import Lowered

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Rows(Operator):
    """Rows start..stop of x, int8 or int16 [T, D]."""

    inputs = (Input("T D", ("int8", "int16")),)
    attributes = {"start": ROW, "stop": ROW}
    observed = False

    def shape(self, node: Node, sizes: Sizes) -> Shape:
        return count(node.name, sizes["start"], sizes["stop"], sizes["T"]), sizes["D"]

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        return inputs[0][node.integer("start") : node.integer("stop")]

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        return inputs[0][:, node.integer("start") : node.integer("stop")]

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        return writer.cut(inputs[0].name, node.integer("start"), node.integer("stop"), axis=0)

    def real(self, parameters: Parameters, x: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        return x[:, start:stop]

    def lower(self, build: Builder, name: str, x: Tensor, start: int, stop: int) -> Lowered:
        return Lowered({}, {"start": start, "stop": stop}, x.scale)


def count(name: str, start: int, stop: int, total: int) -> int:
    """How many rows start..stop are; InputError by `name` where they are not among `total` ones."""
    if not 0 <= start < stop <= total:
        raise InputError(f"{name}: rows must be one or more within 0..{total}, not {start}..{stop}")
    return stop - start
