"""I-LayerNorm: LayerNorm with an integer root (numerics, "I-LayerNorm"; I-ViT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.errors import InputError
from intarsia.model.integer import arithmetic
from intarsia.model.integer.constants import layernorm_constants
from intarsia.model.integer.graph import Node, QuantizeOptions, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared
from intarsia.model.integer.rules import BIAS, MULTIPLIER, SHIFT, Constant, Input
from intarsia.model.quantize.lower import Lowered

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Layernorm(Operator):
    """I-LayerNorm of int16 [T, D] with `b`, `B` [D] and one shift c; out_bits 8 or 16."""

    inputs = (Input("T D", ("int16",)),)
    constants = {"b": Constant("D", "int32", MULTIPLIER), "B": Constant("D", "int64", BIAS)}
    attributes = {"c": SHIFT, "out_bits": (8, 16)}
    output = "T D"

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        b, B, c = constants["b"], constants["B"], node.integer("c")
        return arithmetic.layernorm(inputs[0], b, B, c, out_bits=node.integer("out_bits"))

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        b, B = kernels.writable(constants["b"]), kernels.writable(constants["B"])
        c, bits = node.integer("c"), node.integer("out_bits")
        if b.ndim != 1:  # one multiplier per row and channel, of a tensor of heads
            return super().prepare(node, constants)
        return lambda inputs: kernels.layernorm(kernels.whole(inputs[0]), b, B, c, out_bits=bits)

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        import torch

        from intarsia.model.quantize import simulate

        (x,) = inputs
        y = x - torch.round(x.sum(dim=-1, keepdim=True) / x.shape[-1])
        s = torch.floor((y * y).sum(dim=-1, keepdim=True).sqrt()).clamp(min=1)
        z = torch.floor(y * torch.floor(simulate.I31 / s) / 2)
        v = z * constants["b"] + constants["B"]
        return simulate.saturate(torch.round(v / 2.0 ** node.integer("c")), node.integer("out_bits"))

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        from intarsia.model.export import arithmetic

        w, (x,) = writer, inputs
        z = arithmetic.standardized(w, x.name, x.shape[-1])
        b, B = (constants[key].astype(np.int64) for key in ("b", "B"))
        p = w.op("Add", w.op("Mul", z, b), B)
        if node.integer("c") == 63:  # |p| may reach 2**62 + 2**61, which leaves no room for a half
            return arithmetic.nearest_of_63(w, p, node.integer("out_bits"))
        return arithmetic.requantize(w, p, node.integer("c"), node.integer("out_bits"))

    def real(self, parameters: Parameters, x: torch.Tensor, key: str, *, bits: int) -> torch.Tensor:
        import torch.nn.functional as F

        gamma, beta = parameters.norm(key)
        return F.layer_norm(x, gamma.shape, gamma, beta, parameters.eps(key))

    def lower(self, build: Builder, name: str, x: Tensor, key: str, *, bits: int) -> Lowered:
        gamma, beta = build.parameters.norm(key)
        return lower_layernorm(name, gamma, beta, build.ranges.scale(name, bits), bits, build.options)


def lower_layernorm(
    name: str, gamma: Array, beta: Array, s_out: float, bits: int, options: QuantizeOptions
) -> Lowered:
    """gamma, beta and the output scale as b[c], B[c] and one shift c."""
    try:
        b, B, c = layernorm_constants(gamma, beta, s_out, options.multiplier_bits)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    worst = 2**30 * float(np.abs(b).max()) + float(np.abs(B).max())
    if worst >= 2.0**62:
        raise InputError(f"{name}: z*b + B must stay below 2^62, not reach {worst:.3g}")
    return Lowered({"b": b.astype(np.int32), "B": B}, {"c": int(c), "out_bits": bits}, s_out)
