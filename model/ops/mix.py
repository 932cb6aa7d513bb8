"""Attention's second product: probabilities times the values of qkv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.integer import bounds
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, product, requantized
from intarsia.model.integer.rules import HEADS, SCALE, Input
from intarsia.model.ops.scores import split
from intarsia.model.quantize.lower import Lowered, scalar, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Mix(Operator):
    """Per head probabilities [heads, T, T] times the values of qkv [T, 3*heads*D]: int8 [T, heads*D]."""

    inputs = (Input("heads T T", ("int8", "int16")), Input("T 3*heads*D", ("int8",)))
    attributes = {"heads": HEADS, **SCALE, "out_bits": (8,)}
    output = "T heads*D"

    def depth(self, node: Node, inputs: Sequence[Tensor]) -> int:
        return inputs[0].shape[2]

    def reach(
        self,
        node: Node,
        inputs: Sequence[Tensor],
        constants: Mapping[str, Array],
        makers: Mapping[str, Node],
    ) -> float:
        """By the sum of magnitudes of a row of what it takes as probabilities."""
        probabilities = inputs[0]
        maker, tokens = makers.get(probabilities.name), probabilities.shape[2]
        if maker is None or maker.op != "shiftmax":
            return bounds.mix_reach(int(tokens * 2 ** (probabilities.bits - 1)))
        keys = ("i0", "n", "reciprocal_bits", "out_bits")
        row = bounds.shiftmax_row(tokens, **{key: maker.integer(key) for key in keys})
        return bounds.mix_reach(row)

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        probabilities, qkv = inputs
        _, _, v = split(qkv, node.integer("heads"))
        acc = product(probabilities, v)
        return requantized(node, acc.transpose(1, 0, 2).reshape(len(qkv), -1))

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        probabilities, qkv = inputs
        largest = float(probabilities.abs().sum(dim=-1).max()) * 128
        acc = simulate.product(probabilities, simulate.heads(qkv, node.integer("heads"))[2], largest)
        return simulate.requantized(node, acc.transpose(1, 2).flatten(2))

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        """16-bit probabilities are multiplied as two bytes. What no Shiftmax has made may be negative."""
        from intarsia.model.export import arithmetic

        w, (probabilities, qkv) = writer, inputs
        v = w.transpose(arithmetic.head(w, qkv, node.integer("heads"), 2), 1, 0, 2)
        signed = probabilities.name not in w.probabilities
        zero = arithmetic.OFFSET if signed else np.uint8(0)

        def upper_byte(x: str) -> str:
            return w.op("BitwiseXor", x, zero) if signed else x

        low = w.cast(probabilities.name, np.uint8)
        if probabilities.bits == 8:
            acc = arithmetic.product(w, upper_byte(low), v, zero)
        else:
            acc = arithmetic.product(w, low, v, np.uint8(0))
            wide = w.cast(probabilities.name, np.uint32)
            high = w.cast(w.op("BitShift", wide, np.uint32(8), direction="RIGHT"), np.uint8)
            upper = arithmetic.product(w, upper_byte(high), v, zero)
            acc = w.op("Add", w.op("Mul", upper, np.int32(256)), acc)
        tokens, channels = qkv.shape[0], qkv.shape[1] // 3
        scaled = arithmetic.requantized(w, node, acc)
        return w.reshape(w.transpose(scaled, 1, 0, 2), tokens, channels)

    def real(self, parameters: Parameters, probabilities: torch.Tensor, qkv: torch.Tensor) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        _, _, v = simulate.heads(qkv, probabilities.shape[1])
        return (probabilities @ v).transpose(1, 2).flatten(2)

    def lower(self, build: Builder, name: str, probabilities: Tensor, qkv: Tensor) -> Lowered:
        s_out, heads = build.ranges.scale(name, 8), probabilities.shape[0]
        ratio = scale_in(probabilities) * scale_in(qkv) / s_out
        return Lowered({}, {"heads": heads, **scalar(name, ratio, build.options), "out_bits": 8}, s_out)
