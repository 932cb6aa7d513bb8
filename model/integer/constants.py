"""Constants of the integer operators, computed offline in float64 at quantization time.

Everything here turns scales into integers, once; nothing here runs during inference. The
operators that consume the constants are in `model.integer.arithmetic`, which re-exports them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_SHIFT = 63
MAX_I0 = 2**23
MAX_BIAS = 2**62


class GeluForm(NamedTuple):
    """Defaults of one form of ShiftGELU: exponent range `n` and left bound `lam` (None: none)."""

    n: int
    lam: int | None


GELU_FORMS = {
    "shift": GeluForm(n=23, lam=1),
    "lambda-shift": GeluForm(n=23, lam=6),
    "lambda-shift-elem": GeluForm(n=12, lam=None),
}


def as_integer(name: str, value: int) -> int:
    """`value` as a Python int; TypeError for a float, even a whole one."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None


def check_form(form: str) -> None:
    """Refuse a ShiftGELU form that is not in `GELU_FORMS` with a ValueError."""
    if form not in GELU_FORMS:
        raise ValueError(f"form must be one of {', '.join(GELU_FORMS)}, not {form!r}")


def _floats(name: str, value: ArrayLike) -> Floats:
    a = np.asarray(value)
    if a.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a real number or an array of them, not {a.dtype}")
    a = a.astype(np.float64)
    if not np.isfinite(a).all():
        raise ValueError(f"{name} must be finite, not {float(a[~np.isfinite(a)].flat[0])!r}")
    return a


def _round_half_away(v: Floats) -> Ints:
    m = np.floor(np.abs(v))
    return np.asarray(np.copysign(m + (np.abs(v) - m >= 0.5), v).astype(np.int64))


@overload
def dyadic(ratio: float, multiplier_bits: int = 16) -> tuple[int, int]: ...
@overload
def dyadic(ratio: NDArray[Any] | Sequence[float], multiplier_bits: int = 16) -> tuple[Ints, Ints]: ...
def dyadic(ratio: ArrayLike, multiplier_bits: int = 16) -> tuple[Any, Any]:
    """Write `ratio` as a dyadic number b / 2**c (I-Segmenter Eq. 5; I-ViT `batch_frexp`).

        f, e = frexp(ratio);  b = round_half_away(f * 2**(M-1));  c = M - 1 - e
        if |b| became 2**(M-1): b, c = b / 2, c - 1

    Parameters
    ----------
    ratio : scalar or array, S_in / S_out in float64. May be negative (LayerNorm's gamma). Zero
        gives b = 0 with c = M - 1.
    multiplier_bits : M in 2..32, the width of b with its sign; 32 gives I-ViT's constants.

    Returns
    -------
    (b, c) : 2**(M-2) <= |b| < 2**(M-1) and 0 <= c <= 63; ints for a scalar, int64 arrays of the
        same shape for an array. The relative error is at most 2**-(M-1).

    Raises
    ------
    ValueError : a ratio that is not finite or whose c falls outside 0..63, or M out of range.
    TypeError : M is no integer.
    """
    multiplier_bits = as_integer("multiplier_bits", multiplier_bits)
    if not 2 <= multiplier_bits <= 32:
        raise ValueError(f"multiplier_bits must be in 2..32, not {multiplier_bits}")
    r = _floats("ratio", ratio)
    mantissa, exponent = np.frexp(r)
    b = _round_half_away(np.ldexp(mantissa, multiplier_bits - 1))
    c = multiplier_bits - 1 - exponent.astype(np.int64)
    full = np.abs(b) == 1 << (multiplier_bits - 1)
    b, c = np.where(full, b // 2, b), np.where(full, c - 1, c)
    bad = (c < 0) | (c > MAX_SHIFT)
    if bad.any():
        raise ValueError(
            f"ratio must have its shift c in 0..63, not {c[bad].flat[0]}, which "
            f"{float(r[bad].flat[0])!r} needs with {multiplier_bits} multiplier bits"
        )
    return (int(b), int(c)) if r.ndim == 0 else (b, c)


def layernorm_constants(
    gamma: ArrayLike, beta: ArrayLike, s_out: float, multiplier_bits: int = 16
) -> tuple[Ints, Ints, int]:
    """Fold gamma, beta and the output scale into I-LayerNorm's integers (b[c], B[c], c0).

        b / 2**c0 = gamma * sqrt(D) / 2**30 / s_out        B = RHE(beta / s_out * 2**c0)

    One shift c0 serves the whole tensor; it is the one with which the largest |b| fills M bits,
    so channels of small gamma lose relative, not absolute, precision and gamma = 0 is harmless.

    Parameters
    ----------
    gamma, beta : arrays of D channels;  s_out : scale of the output;  multiplier_bits : as `dyadic`

    Raises
    ------
    ValueError : s_out not positive and finite, a c0 outside 0..63, or |B| beyond 2**62.
    """
    g, h = _floats("gamma", gamma), _floats("beta", beta)
    s = _scale("s_out", s_out, 0.0)
    ratio = g * math.sqrt(g.size) / 2**30 / s
    _, c = dyadic(float(np.abs(ratio).max()), multiplier_bits)
    bias = np.rint(np.ldexp(h / s, c))
    if np.abs(bias).max() > MAX_BIAS:
        raise ValueError(f"beta must keep |B| within 2**62, not reach {float(np.abs(bias).max())}")
    return _round_half_away(np.ldexp(ratio, c)), bias.astype(np.int64), c


def softmax_i0(S: float) -> int:
    """The integer that stands for 1.0 in Shiftmax, ceil(1 / S), for scores of scale S >= 2**-23."""
    return -math.floor(-1.0 / _scale("S", S, 2.0**-23))


def gelu_i0(S: float, form: str) -> int:
    """The integer that stands for 1.0 in ShiftGELU's exponents, for inputs of scale S >= 2**-23.

    ceil(1 / (1.702 * S)) for the forms that fold 1.702 into it, and RHE(1 / S) for `lambda-shift`,
    which multiplies by 1.6875 itself. Never less than 1.
    """
    check_form(form)
    scale = _scale("S", S, 2.0**-23)
    if form == "lambda-shift":
        return max(1, round(1.0 / scale))
    return -math.floor(-1.0 / (scale * 1.702))


def _scale(name: str, value: float, least: float) -> float:
    scale = float(value)  # a float32 scale is divided in float64
    if not (least <= scale < math.inf and scale > 0):
        wanted = f"at least {least!r}" if least else "positive"
        raise ValueError(f"{name} must be finite and {wanted}, not {scale!r}")
    return scale
