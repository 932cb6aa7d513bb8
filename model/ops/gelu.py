"""ShiftGELU: x times an integer sigmoid (numerics, "ShiftGELU"; I-ViT, and I-Segmenter's appendix A)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer import arithmetic
from intarsia.model.integer.constants import GELU_FORMS, MAX_I0, gelu_i0
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared, requantized
from intarsia.model.integer.rules import SCALE, Input
from intarsia.model.quantize.lower import Lowered, scalar, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Gelu(Operator):
    """ShiftGELU of int8 [T, C] (int16 x * sigmoid inside), requantized to int8."""

    inputs = (Input("T C", ("int8",)),)
    attributes = {"form": tuple(GELU_FORMS), "i0": range(1, MAX_I0 + 1), **SCALE, "out_bits": (8,)}
    output = "T C"

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        out = arithmetic.shiftgelu(inputs[0], node.integer("i0"), form=str(node.attributes["form"]))
        return requantized(node, out)

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        table = gelu_table(node)
        if table.dtype != np.int8:
            return super().prepare(node, constants)
        look = kernels.lookup if table.ndim == 1 else kernels.lookup_rows
        return lambda inputs: look(kernels.as_rows(inputs[0]), table).reshape(inputs[0].shape)

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        import torch

        from intarsia.model.quantize import simulate

        (x,), form, i0 = inputs, str(node.attributes["form"]), node.integer("i0")
        n, lam = GELU_FORMS[form]
        i_p = x
        if form == "lambda-shift":
            i_p = x + torch.floor(x / 2) + torch.floor(x / 8) + torch.floor(x / 16)
        m = i_p.clamp(min=0) if form == "lambda-shift-elem" else i_p.amax(dim=-1, keepdim=True)
        e1 = simulate.shift_exp(i_p - m, i0, n, lam)
        s = (e1 + simulate.shift_exp(-m, i0, n, lam)).clamp(max=simulate.I31)
        sig = torch.floor(e1 * torch.floor(simulate.I31 / s.clamp(min=1)) / 2.0**24).clamp(max=127)
        by_sign = torch.where(x > 0, 127.0, torch.where(x < 0, 0.0, 64.0)).to(x.dtype)
        return simulate.requantized(node, x * torch.where(s == 0, by_sign, sig))

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        """With its requantization one table, or one per row maximum."""
        from intarsia.model.export import arithmetic

        w, (x,), table = writer, inputs, gelu_table(node)
        index, first = w.cast(x.name, np.int32), 128
        if table.ndim == 2:
            top = w.cast(w.row_max(x.name), np.int32)
            index, first = w.op("Add", w.op("Mul", top, np.int32(256)), index), 128 * 256 + 128
        # Index 0 stands for x = 0 (and maximum 0); negative indices count from the end.
        return arithmetic.lookup(w, np.roll(table.reshape(-1), -first), index, x.shape)

    def real(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        import torch.nn.functional as F

        return F.gelu(x)

    def lower(self, build: Builder, name: str, x: Tensor) -> Lowered:
        """In the chosen form, its int16 output at S/128 requantized to int8."""
        s_out, form = build.ranges.scale(name, 8), build.options.gelu
        try:
            i0 = gelu_i0(scale_in(x), form)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
        scale = scalar(name, scale_in(x) / 128 / s_out, build.options)
        return Lowered({}, {"form": form, "i0": i0, **scale, "out_bits": 8}, s_out)


def gelu_table(node: Node) -> NDArray[np.signedinteger[Any]]:
    """ShiftGELU and its requantization for every byte: [256], indexed by x + 128, of the output's type.

    The forms that look at the row maximum need one such row per maximum: [256, 256]. A node that does
    not say its `out_bits` has 8.
    """
    bits = int(node.attributes.get("out_bits", 8))
    form = str(node.attributes["form"])
    return _gelu_table(form, node.integer("i0"), node.integer("b"), node.integer("c"), bits)


@lru_cache(maxsize=64)
def _gelu_table(form: str, i0: int, b: int, c: int, bits: int) -> NDArray[np.signedinteger[Any]]:
    x = np.arange(-128, 128, dtype=np.int8)
    if form == "lambda-shift-elem":
        out = arithmetic.shiftgelu(x, i0, form=form)
    else:
        # A row of (x, maximum) for every pair; where x is above the maximum nobody looks.
        pairs = np.stack(np.broadcast_arrays(x[None, :], x[:, None]), axis=-1)
        out = arithmetic.shiftgelu(pairs, i0, form=form)[..., 0]
    return arithmetic.requantize(out, b, c, out_bits=bits)
