"""Shiftmax: softmax by shifts and one division per row (numerics, "Shiftmax"; I-ViT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.errors import InputError
from intarsia.model.integer import arithmetic
from intarsia.model.integer.constants import MAX_I0, softmax_i0
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared
from intarsia.model.integer.rules import Input
from intarsia.model.quantize.lower import Lowered, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters

N = 15
"""Exponent range that the quantizer asks for."""

OPTIONS = ("n", "reciprocal_bits", "out_bits")
"""Attributes besides i0."""


class Shiftmax(Operator):
    """Shiftmax over the keys: int8 [H, T, K] to int16 (or int8) probabilities."""

    inputs = (Input("H T K", ("int8",)),)
    attributes = {
        "i0": range(1, MAX_I0 + 1),
        "n": range(1, 32),
        "reciprocal_bits": range(15, 47),
        "out_bits": (8, 16),
    }
    output = "H T K"
    observed = False

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        i0, options = node.integer("i0"), {key: node.integer(key) for key in OPTIONS}
        return arithmetic.shiftmax(inputs[0], i0, **options)

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        i0, options = node.integer("i0"), {key: node.integer(key) for key in OPTIONS}

        def run(inputs: Sequence[Array]) -> Array:
            return kernels.shiftmax_rows(kernels.as_rows(inputs[0]), i0, **options).reshape(inputs[0].shape)

        return run

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        import torch

        from intarsia.model.quantize import simulate

        (x,), bits = inputs, node.integer("reciprocal_bits")
        d = x - x.amax(dim=-1, keepdim=True)
        e = simulate.shift_exp(d, node.integer("i0"), node.integer("n"), 1)
        s = e.sum(dim=-1, keepdim=True).clamp(1, simulate.I31)
        f = torch.floor((2.0**bits - 1) / s)
        p = torch.floor(e * f / 2.0 ** (bits - 15)).clamp(max=32767)
        return p if node.integer("out_bits") == 16 else torch.floor(p / 256)

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        """A probability depends on its row and on max - x alone.

        So e is a table of 256 values, and every row has a table of the probabilities.
        """
        from intarsia.model.export import arithmetic as export
        from intarsia.model.integer.arithmetic import I31, shift_exp

        w, (x,) = writer, inputs
        bits, reciprocal = node.integer("out_bits"), node.integer("reciprocal_bits")
        table = np.minimum(shift_exp(-np.arange(256), node.integer("i0"), n=node.integer("n")), I31)
        top = w.cast(w.row_max(x.name), np.int32)
        d = w.op("Sub", top, w.cast(x.name, np.int32))
        e = export.lookup(w, table, d, x.shape)
        total = w.cast(export.row_sums(w, e, x.shape[-1]), np.uint64)
        s = w.cast(w.op("Min", total, np.uint64(I31)), np.int64)  # e of the maximum is at least 1
        f = w.op("Div", np.int64(2**reciprocal - 1), s)
        # e <= s, hence e * f < 2**R, and what is left of it is 32767 at most: 15 bits, or the upper 7.
        p = export.rshift(w, w.op("Mul", f, table), reciprocal + 1 - bits)
        w.probabilities.add(node.name)
        return w.op("GatherElements", w.cast(p, f"int{bits}"), d, axis=len(x.shape) - 1)

    def real(self, parameters: Parameters, scores: torch.Tensor) -> torch.Tensor:
        return scores.softmax(dim=-1)

    def lower(self, build: Builder, name: str, scores: Tensor) -> Lowered:
        """The output's scale is a power of two, whatever the values."""
        options = build.options
        try:
            i0 = softmax_i0(scale_in(scores))
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
        attributes: dict[str, int | str] = {
            "i0": i0,
            "n": N,
            "reciprocal_bits": options.reciprocal_bits,
            "out_bits": options.softmax_bits,
        }
        return Lowered({}, attributes, 2.0 ** -(options.softmax_bits - 1))
