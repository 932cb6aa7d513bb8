"""Attention scores: per head q k^T of one tensor qkv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.integer import bounds
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared, product, requantized
from intarsia.model.integer.rules import HEADS, SCALE, Input
from intarsia.model.quantize.lower import Lowered, scalar, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Scores(Operator):
    """Per head q k^T of qkv int8 [T, 3*heads*D], requantized: int8 [heads, T, T].

    d^-1/2 of the D channels of a head is inside b, c.
    """

    inputs = (Input("T 3*heads*D", ("int8",)),)
    attributes = {"heads": HEADS, **SCALE, "out_bits": (8,)}
    output = "heads T T"

    def depth(self, node: Node, inputs: Sequence[Tensor]) -> int:
        return inputs[0].shape[1] // (3 * node.integer("heads"))

    def reach(
        self,
        node: Node,
        inputs: Sequence[Tensor],
        constants: Mapping[str, Array],
        makers: Mapping[str, Node],
    ) -> float:
        return bounds.product_reach(self.depth(node, inputs))

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        q, k, _ = split(inputs[0], node.integer("heads"))
        return requantized(node, product(q, k.transpose(0, 2, 1)))

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        heads, b, c, bits = (node.integer(key) for key in ("heads", "b", "c", "out_bits"))

        def run(inputs: Sequence[Array]) -> Array:
            q, k, _ = split(inputs[0], heads)
            pairs = ((kernels.whole(q[head]), kernels.whole(k[head])) for head in range(heads))
            return np.stack([kernels.linear(*pair, None, b, c, out_bits=bits) for pair in pairs])

        return run

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        q, k, _ = simulate.heads(inputs[0], node.integer("heads"))
        acc = simulate.product(q, k.transpose(-2, -1), q.shape[-1] * 2.0**14)
        return simulate.requantized(node, acc)

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        from intarsia.model.export import arithmetic

        q, k = (arithmetic.head(writer, inputs[0], node.integer("heads"), part) for part in (0, 1))
        acc = arithmetic.product(writer, writer.transpose(q, 1, 0, 2), writer.transpose(k, 1, 2, 0))
        return arithmetic.requantized(writer, node, acc)

    def real(self, parameters: Parameters, qkv: torch.Tensor, heads: int) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        q, k, _ = simulate.heads(qkv, heads)
        return q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5

    def lower(self, build: Builder, name: str, qkv: Tensor, heads: int) -> Lowered:
        s_out, depth = build.ranges.scale(name, 8), qkv.shape[1] // 3 // heads
        ratio = scale_in(qkv) * scale_in(qkv) * depth**-0.5 / s_out
        return Lowered({}, {"heads": heads, **scalar(name, ratio, build.options), "out_bits": 8}, s_out)


def split(qkv: Array, heads: int) -> tuple[Array, Array, Array]:
    """qkv [T, 3*H*D] to q, k, v, each [H, T, D]."""
    q, k, v = qkv.reshape(len(qkv), 3, heads, -1).transpose(1, 2, 0, 3)
    return q, k, v
