"""The mean of some rows: pooling over patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.integer import bounds
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared, requantized
from intarsia.model.integer.rules import ROW, SCALE, Input, Shape, Sizes
from intarsia.model.ops.rows import count
from intarsia.model.quantize.lower import Lowered, scalar, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Mean(Operator):
    """requantize(sum of the rows start..stop of x, b, c): int8 [T, D] to int8 or int16 [1, D].

    1 / (stop - start) is inside b, c. It is the product of a row of ones with these rows.
    """

    inputs = (Input("T D", ("int8",)),)
    attributes = {"start": ROW, "stop": ROW, **SCALE, "out_bits": (8, 16)}
    output = "1 D"

    def shape(self, node: Node, sizes: Sizes) -> Shape:
        count(node.name, sizes["start"], sizes["stop"], sizes["T"])
        return super().shape(node, sizes)

    def depth(self, node: Node, inputs: Sequence[Tensor]) -> int:
        return node.integer("stop") - node.integer("start")

    def reach(
        self,
        node: Node,
        inputs: Sequence[Tensor],
        constants: Mapping[str, Array],
        makers: Mapping[str, Node],
    ) -> float:
        return self.depth(node, inputs) * bounds.INT8

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        rows = inputs[0][node.integer("start") : node.integer("stop")]
        return requantized(node, rows.sum(axis=0, keepdims=True, dtype=np.int32))

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        start, stop, b, c, bits = (node.integer(k) for k in ("start", "stop", "b", "c", "out_bits"))
        ones = np.ones((1, stop - start), np.int8)

        def run(inputs: Sequence[Array]) -> Array:
            columns = kernels.whole(inputs[0][start:stop].T)
            return kernels.linear(ones, columns, None, b, c, out_bits=bits)

        return run

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        rows = inputs[0][:, node.integer("start") : node.integer("stop")]
        return simulate.requantized(node, rows.sum(dim=1, keepdim=True))

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        from intarsia.model.export import arithmetic

        start, stop = node.integer("start"), node.integer("stop")
        rows = arithmetic.unsigned(writer, writer.cut(inputs[0].name, start, stop, axis=0))
        ones = np.ones((1, stop - start), np.uint8)
        return arithmetic.requantized(writer, node, arithmetic.product(writer, ones, rows, np.uint8(0)))

    def real(
        self, parameters: Parameters, x: torch.Tensor, start: int, stop: int, *, bits: int = 8
    ) -> torch.Tensor:
        return x[:, start:stop].mean(dim=1, keepdim=True)

    def lower(
        self, build: Builder, name: str, x: Tensor, start: int, stop: int, *, bits: int = 8
    ) -> Lowered:
        s_out, rows = build.ranges.scale(name, bits), count(name, start, stop, x.shape[0])
        scale = scalar(name, scale_in(x) / rows / s_out, build.options)
        return Lowered({}, {"start": start, "stop": stop, **scale, "out_bits": bits}, s_out)
