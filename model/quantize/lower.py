"""Float parameters and scales to the integer constants of each operator, checked by name.

Everything that could overflow or that no dyadic number can express is refused here, offline,
so that nothing has to be checked during inference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer import bounds
from intarsia.model.integer.arithmetic import dyadic, gelu_i0, layernorm_constants, softmax_i0
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.networks.segmenter.config import NORMALIZATIONS

Array = NDArray[Any]

MIN_SCALE = 2.0**-23
SHIFTMAX_N = 15


@dataclass(frozen=True)
class Lowered:
    """Operator, integer arrays and integer attributes of one node."""

    op: str
    constants: dict[str, Array] = field(default_factory=dict)
    attributes: dict[str, int | str] = field(default_factory=dict)


def scale_of(magnitude: float, bits: int) -> float:
    """S of values up to `magnitude` in `bits` bits (paper Eq. 1-4, with 2^(k-1)-1 levels)."""
    return max(magnitude / (2 ** (bits - 1) - 1), MIN_SCALE)


def quantize(values: ArrayLike, scale: float | Array, bits: int) -> Array:
    """sat(RHE(values / scale)) as an integer array of `bits` bits."""
    top = 2 ** (bits - 1) - 1
    integers = np.clip(np.rint(np.asarray(values, np.float64) / scale), -top - 1, top)
    return integers.astype(f"int{bits}")


def pixel_table(normalization: str) -> tuple[NDArray[np.int8], float]:
    """int8 [3, 256] from byte to quantized normalized pixel, and its scale.

    The range of a byte is known, so that no calibration is needed.
    """
    mean, deviation = (np.array(v)[:, None] for v in NORMALIZATIONS[normalization])
    real = (np.arange(256)[None, :] / 255 - mean) / deviation
    scale = scale_of(float(np.abs(real).max()), 8)
    return quantize(real, scale, 8), scale


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
    constants["b"], constants["c"] = _dyadic(name, s_in * s_w / s_out, options)
    return Lowered("linear", constants, {"out_bits": bits})


def _wide_enough(s_w: Array, reach: Array, bias: Array, s_in: float) -> Array:
    """Weight scales that let the bias fit into the int32 accumulator beside `reach` of the products.

    Where it does already they stay. A larger scale makes the products smaller, never larger.
    """
    room = bounds.I31 - reach
    magnitude = np.abs(bias.astype(np.float64))
    tight = (room > 1) & (np.rint(magnitude / (s_in * s_w)) > room)
    return np.where(tight, magnitude / (s_in * np.where(tight, room - 1, 1)), s_w)


def lower_matmul(
    name: str, depth: int, s_x: float, s_y: float, s_out: float, bits: int, options: QuantizeOptions
) -> Lowered:
    """Product of two int8 tensors over `depth` channels."""
    bounds.check_accumulator(name, bounds.product_reach(depth))
    return Lowered("matmul", {}, {**_scalar(name, s_x * s_y / s_out, options), "out_bits": bits})


def lower_scores(
    name: str, heads: int, depth: int, s_qkv: float, s_out: float, options: QuantizeOptions
) -> Lowered:
    """q k^T over `depth` channels of a head, with d^-1/2 in the ratio."""
    bounds.check_accumulator(name, bounds.product_reach(depth))
    ratio = s_qkv * s_qkv * depth**-0.5 / s_out
    return Lowered("scores", {}, {"heads": heads, **_scalar(name, ratio, options), "out_bits": 8})


def lower_shiftmax(name: str, s_in: float, options: QuantizeOptions) -> Lowered:
    """Shiftmax; its output scale is `probability_scale`."""
    try:
        i0 = softmax_i0(s_in)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    return Lowered(
        "shiftmax",
        {},
        {
            "i0": i0,
            "n": SHIFTMAX_N,
            "reciprocal_bits": options.reciprocal_bits,
            "out_bits": options.softmax_bits,
        },
    )


def probability_scale(options: QuantizeOptions) -> float:
    """What 1 stands for in a Shiftmax output of 16 or 8 bits."""
    return 2.0 ** -(options.softmax_bits - 1)


def lower_mix(
    name: str,
    heads: int,
    tokens: int,
    shiftmax: Lowered,
    s_qkv: float,
    s_out: float,
    options: QuantizeOptions,
) -> Lowered:
    """Probabilities times v; `shiftmax` bounds how much a row of them can sum to."""
    row = bounds.shiftmax_row(
        tokens,
        i0=int(shiftmax.attributes["i0"]),
        n=SHIFTMAX_N,
        reciprocal_bits=options.reciprocal_bits,
        out_bits=options.softmax_bits,
    )
    bounds.check_accumulator(name, bounds.mix_reach(row))
    ratio = probability_scale(options) * s_qkv / s_out
    return Lowered("mix", {}, {"heads": heads, **_scalar(name, ratio, options), "out_bits": 8})


def lower_gelu(name: str, s_in: float, s_out: float, options: QuantizeOptions) -> Lowered:
    """ShiftGELU in the chosen form, its int16 output at S/128 requantized to int8."""
    try:
        i0 = gelu_i0(s_in, options.gelu)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    ratio = s_in / 128 / s_out
    return Lowered(
        "gelu",
        {},
        {"form": options.gelu, "i0": i0, **_scalar(name, ratio, options), "out_bits": 8},
    )


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
    return Lowered("layernorm", {"b": b.astype(np.int32), "B": B}, {"c": int(c), "out_bits": bits})


def lower_residual(
    name: str, s_x: float, s_identity: float, s_out: float, options: QuantizeOptions
) -> Lowered:
    """Sum of two int16 tensors of different scales."""
    first = _scalar(name, s_x / s_out, options)
    second = _scalar(name, s_identity / s_out, options)
    return Lowered(
        "residual",
        {},
        {"b1": first["b"], "c1": first["c"], "b2": second["b"], "c2": second["c"]},
    )


def _dyadic(name: str, ratio: Any, options: QuantizeOptions) -> tuple[Array, Array]:
    try:
        b, c = dyadic(ratio, options.multiplier_bits)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    return np.asarray(b, np.int32), np.asarray(c, np.int8)


def _scalar(name: str, ratio: float, options: QuantizeOptions) -> dict[str, int | str]:
    b, c = _dyadic(name, ratio, options)
    return {"b": int(b), "c": int(c)}
