"""Products of two int8 tensors: class scores of patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from intarsia.model.integer import bounds
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared, product, requantized
from intarsia.model.integer.rules import SCALE, Input
from intarsia.model.quantize.lower import Lowered, scalar, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Matmul(Operator):
    """x int8 [N, D] times y int8 [K, D], transposed, requantized by scalars b, c."""

    inputs = (Input("N D", ("int8",)), Input("K D", ("int8",)))
    attributes = {**SCALE, "out_bits": (8, 16)}
    output = "N K"

    def depth(self, node: Node, inputs: Sequence[Tensor]) -> int:
        return inputs[0].shape[1]

    def reach(
        self,
        node: Node,
        inputs: Sequence[Tensor],
        constants: Mapping[str, Array],
        makers: Mapping[str, Node],
    ) -> float:
        return bounds.product_reach(self.depth(node, inputs))

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        x, y = inputs
        return requantized(node, product(x, y.T))

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        b, c, bits = (node.integer(key) for key in ("b", "c", "out_bits"))

        def run(inputs: Sequence[Array]) -> Array:
            x, y = (kernels.whole(array) for array in inputs)
            return kernels.linear(x, y, None, b, c, out_bits=bits)

        return run

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        x, y = inputs
        acc = simulate.product(x, y.transpose(-2, -1), x.shape[-1] * 2.0**14)
        return simulate.requantized(node, acc)

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        from intarsia.model.export import arithmetic

        x, y = (arithmetic.unsigned(writer, tensor.name) for tensor in inputs)
        return arithmetic.requantized(
            writer, node, arithmetic.product(writer, x, writer.transpose(y, 1, 0))
        )

    def real(self, parameters: Parameters, x: torch.Tensor, y: torch.Tensor, *, bits: int) -> torch.Tensor:
        return x @ y.transpose(1, 2)

    def lower(self, build: Builder, name: str, x: Tensor, y: Tensor, *, bits: int) -> Lowered:
        s_out = build.ranges.scale(name, bits)
        ratio = scale_in(x) * scale_in(y) / s_out
        return Lowered({}, {**scalar(name, ratio, build.options), "out_bits": bits}, s_out)
