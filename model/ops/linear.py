"""Linear layers: int8 products with a weight, a bias, requantization per channel (paper Eq. 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.integer import arithmetic, bounds
from intarsia.model.integer.graph import Node, QuantizeOptions, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared, product
from intarsia.model.integer.rules import MULTIPLIER, SHIFT, Constant, Input
from intarsia.model.quantize.lower import MIN_SCALE, Lowered, magnitude, multipliers, quantize, scale_in

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Linear(Operator):
    """x int8 [T, K] times weight int8 [N, K] plus bias int32 [N], requantized per channel.

    `b`, `c` int [N];  out_bits 8 or 16. The quantizer has shown that no int32 accumulator
    overflows.
    """

    inputs = (Input("T K", ("int8",)),)
    constants = {
        "weight": Constant("N K", "int8"),
        "bias": Constant("N", "int32", optional=True),
        "b": Constant("N", "int32", MULTIPLIER),
        "c": Constant("N", "int8", SHIFT),
    }
    attributes = {"out_bits": (8, 16)}
    output = "T N"

    def depth(self, node: Node, inputs: Sequence[Tensor]) -> int:
        return inputs[0].shape[1]

    def reach(
        self,
        node: Node,
        inputs: Sequence[Tensor],
        constants: Mapping[str, Array],
        makers: Mapping[str, Node],
    ) -> float:
        weight, bias = constants["weight"], constants.get("bias")
        most = bounds.product_reach(weight.shape[1])
        if bias is not None:
            most += int(np.abs(bias.astype(np.int64)).max())
        # A look at every weight only where their number does not settle it.
        return most if most <= bounds.I31 else float(bounds.linear_reach(weight, bias).max())

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        acc = product(inputs[0], constants["weight"].T)
        if "bias" in constants:
            acc = acc + constants["bias"]
        b, c = constants["b"], constants["c"]
        return arithmetic.requantize(acc, b, c, out_bits=node.integer("out_bits"))

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        weight, b, c = (kernels.writable(constants[key]) for key in ("weight", "b", "c"))
        bias = kernels.writable(constants["bias"]) if "bias" in constants else None
        bits = node.integer("out_bits")
        return lambda inputs: kernels.linear(kernels.whole(inputs[0]), weight, bias, b, c, out_bits=bits)

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        weight = constants["weight"]
        acc = simulate.product(inputs[0], weight.T, weight.shape[1] * 2.0**14)
        if "bias" in constants:
            acc = acc + constants["bias"]
        b, c = (constants[key].double() for key in ("b", "c"))
        return simulate.saturate(simulate.scaled(acc, b, c), node.integer("out_bits"))

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        """The weight is stored transposed and above 128."""
        from intarsia.model.export import arithmetic

        w, (x,) = writer, inputs
        flipped = constants["weight"].T.view(np.uint8) ^ arithmetic.OFFSET
        weight = w.constant(np.ascontiguousarray(flipped), "weight")
        acc = arithmetic.product(w, arithmetic.unsigned(w, x.name), weight)
        if "bias" in constants:
            acc = w.op("Add", acc, w.constant(constants["bias"], "bias"))
        p = arithmetic.multiply(w, acc, constants["b"])
        return arithmetic.requantize(w, p, constants["c"], node.integer("out_bits"))

    def real(
        self, parameters: Parameters, x: torch.Tensor, key: str, *, bits: int, beside: str | None = None
    ) -> torch.Tensor:
        import torch.nn.functional as F

        return F.linear(x, parameters.weight(key), parameters.bias(key))

    def lower(
        self, build: Builder, name: str, x: Tensor, key: str, *, bits: int, beside: str | None = None
    ) -> Lowered:
        """beside: constant rows that must fit into the scale of the output, too."""
        at_least = magnitude(build.parameters.rows(beside)) if beside else 0.0
        s_out = build.ranges.scale(name, bits, at_least)
        weight, bias = build.parameters.weight(key), build.parameters.bias(key)
        return lower_linear(name, weight, bias, scale_in(x), s_out, bits, build.options)

    def outline(
        self, build: Builder, name: str, x: Tensor, key: str, *, bits: int, beside: str | None = None
    ) -> Lowered:
        """Weights are not looked at: there may be very many."""
        weight, bias = build.parameters.weight(key), build.parameters.bias(key)
        n = len(weight)
        constants: dict[str, Array] = {
            "weight": weight,
            "b": np.ones(n, np.int32),
            "c": np.zeros(n, np.int8),
        }
        if bias is not None:
            constants["bias"] = bias
        return Lowered(constants, {"out_bits": bits}, 1.0)


def lower_linear(
    name: str,
    weight: Array,
    bias: Array | None,
    s_in: float,
    s_out: float,
    bits: int,
    options: QuantizeOptions,
) -> Lowered:
    """weight float [N, K] to int8 per output channel, bias float [N] to int32 at S_x*S_w[c].

    A channel whose weights are so small that its bias would not fit gets a larger S_w.
    """
    magnitude = np.abs(weight).max(axis=1).astype(np.float64)
    s_w = np.maximum(magnitude / 127, MIN_SCALE)
    integers = quantize(weight, s_w[:, None], 8)
    reach = bounds.linear_reach(integers, None)
    wide = None
    if bias is not None:
        wider = _wide_enough(s_w, reach, bias, s_in)
        if (wider != s_w).any():
            s_w, integers = wider, quantize(weight, wider[:, None], 8)
        wide = np.rint(bias.astype(np.float64) / (s_in * s_w))
        reach = bounds.linear_reach(integers, wide)
    bounds.check_accumulator(name, float(reach.max()))
    constants: dict[str, Array] = {"weight": integers}
    if wide is not None:
        constants["bias"] = wide.astype(np.int32)
    constants["b"], constants["c"] = multipliers(name, s_in * s_w / s_out, options)
    return Lowered(constants, {"out_bits": bits}, s_out)


def _wide_enough(s_w: Array, reach: Array, bias: Array, s_in: float) -> Array:
    """Weight scales that let the bias fit into the int32 accumulator beside `reach` of the products.

    Where it does already they stay. A larger scale makes the products smaller, never larger.
    """
    room = bounds.I31 - reach
    magnitude = np.abs(bias.astype(np.float64))
    tight = (room > 1) & (np.rint(magnitude / (s_in * s_w)) > room)
    return np.where(tight, magnitude / (s_in * np.where(tight, room - 1, 1)), s_w)
