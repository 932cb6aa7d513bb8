"""The integer arithmetic that reference, emulator and RTL share (docs/numerics.md).

Array functions on NumPy integers: the last axis is a row, constants are integers or integer
arrays that broadcast, every intermediate is an exact int64. Inputs may be of any integer type,
Python ints and 0-d included; a float raises TypeError and a value outside the stated range
raises ValueError, because a wrong number here would pass for a right one everywhere else.

Notation: `>>` floor shift, `//` floor division, RHE round half to even, I31 = 2**31 - 1,
sat_k(v) = clamp(v, -2**(k-1), 2**(k-1) - 1). Sources: I-Segmenter (arXiv 2509.10334) and the
operators of I-ViT (arXiv 2207.01405 and its code, models/quantization_utils).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.model.integer.constants import (
    GELU_FORMS,
    MAX_BIAS,
    MAX_I0,
    MAX_SHIFT,
    GeluForm,
    Ints,
    as_integer,
    check_form,
    dyadic,
    gelu_i0,
    layernorm_constants,
    softmax_i0,
)

__all__ = [
    "GELU_FORMS", "I31", "GeluForm", "dyadic", "gelu_i0", "gelu_sigmoid", "isqrt", "layernorm",
    "layernorm_constants", "requantize", "residual", "rshift_rhe", "saturate", "shift_exp",
    "shiftgelu", "shiftmax", "softmax_i0",
]  # fmt: skip

Narrow = NDArray[np.signedinteger[Any]]

I31 = 2**31 - 1
MAX_PRODUCT = 2**62
_WIDTHS = {8: np.int8, 16: np.int16, 32: np.int32}


def rshift_rhe(p: ArrayLike, c: ArrayLike) -> Ints:
    """RHE(p / 2**c), exact for every int64 p and c in 0..63.

    Floor, then compare the discarded bits with one half: adding half first would overflow.
    Returns int64 of the broadcast shape.
    """
    return _rshift_rhe(_ints("p", p), _shift("c", c))


def saturate(v: ArrayLike, bits: int) -> Ints:
    """sat_bits(v) for bits in 1..64, as int64."""
    bits = _index("bits", bits, 1, 64)
    return np.asarray(np.clip(_ints("v", v), -(1 << bits - 1), (1 << bits - 1) - 1))


def requantize(x: ArrayLike, b: ArrayLike, c: ArrayLike, *, out_bits: int) -> Narrow:
    """sat_out_bits(RHE(x * b / 2**c)): an accumulator at a new scale (I-Segmenter Eq. 5).

    Parameters
    ----------
    x : int32 values;  b : multiplier of up to 32 bits;  c : shift in 0..63;  out_bits : 8, 16, 32

    Returns int8, int16 or int32 of the broadcast shape. Any x and b with |x * b| <= 2**62 are
    exact; beyond that ValueError.
    """
    return _narrow(_rshift_rhe(_product("x", x, "b", b), _shift("c", c)), out_bits)


def residual(
    x: ArrayLike, b1: ArrayLike, c1: ArrayLike, identity: ArrayLike, b2: ArrayLike, c2: ArrayLike
) -> NDArray[np.int16]:
    """sat_16(RHE(x * b1 / 2**c1) + RHE(identity * b2 / 2**c2)): two roundings, then the sum.

    I-ViT `fixedpoint_mul` with an identity. Operands and errors as in `requantize`; the sum is
    exact and saturated once. Returns int16.
    """
    first = _rshift_rhe(_product("x", x, "b1", b1), _shift("c1", c1))
    second = _rshift_rhe(_product("identity", identity, "b2", b2), _shift("c2", c2))
    low, high = -(2**15), 2**15 - 1  # each term may reach 2**62, so clamp one, not the sum
    return np.asarray(first + np.clip(second, low - first, high - first), dtype=np.int16)


def isqrt(v: ArrayLike) -> Ints:
    """floor(sqrt(v)) of every v in 0..2**63 - 1, one bit of the root per step, no products.

    I-ViT iterates Newton ten times from 2**16 instead, which is not always the floor (see
    docs/numerics.md). A negative v raises ValueError. Returns int64.
    """
    rest = _in_range("v", _ints("v", v), 0, 2**63 - 1)
    root = np.zeros_like(rest)
    top = (int(rest.max(initial=0)).bit_length() + 1) // 2
    for k in reversed(range(top)):
        trial = root + (1 << 2 * k)
        fits = rest >= trial
        rest = rest - trial * fits
        root = (root >> 1) + (fits.astype(np.int64) << 2 * k)
    return np.asarray(root)


def layernorm(x: ArrayLike, b: ArrayLike, B: ArrayLike, c: ArrayLike, *, out_bits: int = 8) -> Narrow:
    """I-LayerNorm over the last axis, of length D (I-ViT I-LayerNorm, exact root).

        mu = RHE(sum x / D);  y = x - mu;  v = sum y**2;  s = max(isqrt(v), 1);  f = I31 // s
        z = (y * f) >> 1;     out = sat_out_bits(RHE((z * b + B) / 2**c))

    Parameters
    ----------
    x : int16 rows; wider values pass as long as v cannot exceed 2**62
    b : multipliers of up to 32 bits;  B : |B| <= 2**62;  c : shift in 0..63; each an integer or
        one per channel (`layernorm_constants` makes them, with one c per tensor)
    out_bits : 8 or 16 (mask_norm, so that the argmax sees few ties); 32 with b = 1, B = c = 0
        shows z itself

    Ranges for int16 and D <= 4096: v < 2**42, s < 2**21, |y * f| <= I31, z in 31 bits.
    Returns int8, int16 or int32.
    """
    x = _ints("x", x)
    d = max(x.shape[-1], 1) if x.ndim else 1
    worst = d * (2 * _magnitude(x) + 1) ** 2
    if worst > MAX_PRODUCT:
        raise ValueError(f"x must keep a row's sum of squares within 2**62, not {worst}")
    b = _in_range("b", _ints("b", b), -(2**31), 2**31)
    B = _in_range("B", _ints("B", B), -MAX_BIAS, MAX_BIAS)
    total = x.sum(axis=-1, keepdims=True)
    mu = total // d
    twice = 2 * (total - mu * d)
    y = x - (mu + ((twice > d) | ((twice == d) & (mu & 1 == 1))))
    s = np.maximum(isqrt((y * y).sum(axis=-1, keepdims=True)), 1)
    z = (y * (I31 // s)) >> 1
    return _narrow(_rshift_rhe(z * b + B, _shift("c", c)), out_bits)


def shift_exp(d: ArrayLike, i0: ArrayLike, *, n: int, lam: int | None = 1) -> Ints:
    """ShiftExp: about i0 * 2**n * exp(d / i0) by shifts and one division (I-ViT ShiftExp).

        p = d + (d >> 1) - (d >> 4)        d * log2(e)
        p = max(p, -lam * n * i0)          left bound (I-Segmenter Appendix A); lam = None: none
        q = floor(p / -i0);  r = p + q * i0 in (-i0, 0]
        e = floor((r / 2 + i0) * 2**(n - q))

    The half bit of r takes part in the shift. With q > n the shift is to the right; with q < 0,
    that is d > 0, e saturates at I31.

    Parameters
    ----------
    d : any int64, normally <= 0;  i0 : 1..2**23;  n : 1..31;  lam : 1..65535 or None

    Returns int64: 0 <= e <= i0 * 2**n for d <= 0.
    """
    n = _index("n", n, 1, 31)
    lam = None if lam is None else _index("lam", lam, 1, 65535)
    far = 2**40  # every d beyond it has reached the end of the range: e is 0, the bound or I31
    return _shift_exp(np.clip(_ints("d", d), -far, far), _i0(i0), n, lam)


def shiftmax(
    x: ArrayLike, i0: ArrayLike, *, n: int = 15, reciprocal_bits: int = 31, out_bits: int = 16
) -> NDArray[np.int16] | NDArray[np.int8]:
    """Shiftmax over the last axis (I-ViT Shiftmax; R = reciprocal_bits = 31 is I-ViT's).

        e = ShiftExp(x - max(row));  s = min(sum e, I31);  f = (2**R - 1) // s
        p = min((e * f) >> (R - 15), 32767)

    Parameters
    ----------
    x : rows of int8 scores (any int32 is exact);  i0 : 1..2**23 (`softmax_i0`);  n : 1..31
    reciprocal_bits : R in 15..46; more than 31 keeps f precise over long rows
    out_bits : 16 returns p as int16 in 0..32767 (scale 2**-15); 8 returns p >> 8 as int8 in
        0..127 (scale 2**-7)
    """
    out_bits = _one_of("out_bits", out_bits, (8, 16))
    bits = _index("reciprocal_bits", reciprocal_bits, 15, 46)
    x = _in_range("x", _ints("x", x), -(2**31), 2**31 - 1)
    d = x - x.max(axis=-1, keepdims=True, initial=-(2**31))  # initial: an empty row has no maximum
    # e beyond I31 makes s = I31, and then p is the same with e capped; so e fits in 31 bits.
    e = np.minimum(_shift_exp(d, _i0(i0), _index("n", n, 1, 31), 1), I31)
    s = np.clip(e.sum(axis=-1, keepdims=True), 1, I31)
    p = np.minimum((e * ((2**bits - 1) // s)) >> (bits - 15), 32767)
    return np.asarray(p, dtype=np.int16) if out_bits == 16 else np.asarray(p >> 8, dtype=np.int8)


def gelu_sigmoid(
    x: ArrayLike, i0: ArrayLike, *, form: str, n: int | None = None, lam: int | None = None
) -> Ints:
    """The sigmoid inside `shiftgelu`, 0..127 at scale 2**-7, as int64; arguments as there."""
    check_form(form)
    n = GELU_FORMS[form].n if n is None else _index("n", n, 1, 31)
    lam = GELU_FORMS[form].lam if lam is None else _index("lam", lam, 1, 65535)
    i0 = _i0(i0)
    x = _in_range("x", _ints("x", x), -128, 127)
    i_p = x + (x >> 1) + (x >> 3) + (x >> 4) if form == "lambda-shift" else x
    if form == "lambda-shift-elem":
        m = np.maximum(i_p, 0)
    else:
        m = i_p.max(axis=-1, keepdims=True, initial=-256)  # below every i_p
    e1 = _shift_exp(i_p - m, i0, n, lam)
    s = np.minimum(e1 + _shift_exp(-m, i0, n, lam), I31)
    sig = np.minimum((e1 * (I31 // np.maximum(s, 1))) >> 24, 127)
    return np.asarray(np.where(s == 0, np.where(x > 0, 127, np.where(x < 0, 0, 64)), sig))


def shiftgelu(
    x: ArrayLike, i0: ArrayLike, *, form: str, n: int | None = None, lam: int | None = None
) -> NDArray[np.int16]:
    """x * sigmoid(1.702 x) on integers, in the three forms of `GELU_FORMS`.

        e1 = ShiftExp(I_p - m);  e2 = ShiftExp(-m);  s = min(e1 + e2, I31)
        sig = min((e1 * (I31 // s)) >> 24, 127);     out = x * sig
        where s = 0: sig = 127 for x > 0, 0 for x < 0, 64 for x = 0

    `shift` (I-ViT ShiftGELU)            I_p = x, m = row max, 1.702 is inside i0
    `lambda-shift` (I-Segmenter App. A)  I_p = x + (x>>1) + (x>>3) + (x>>4), m = row max of I_p
    `lambda-shift-elem`                  I_p = x, m = max(x, 0) of the element, 1.702 inside i0

    Parameters
    ----------
    x : int8 values, last axis a token's channels;  i0 : 1..2**23 (`gelu_i0`)
    n, lam : 1..31 and 1..65535; the form's own (`GELU_FORMS`) when None

    Returns int16 in -16256..16129 at scale S / 128. A value outside int8 or an unknown form
    raises ValueError.
    """
    return np.asarray(_ints("x", x) * gelu_sigmoid(x, i0, form=form, n=n, lam=lam), dtype=np.int16)


def _shift_exp(d: Ints, i0: Ints, n: int, lam: int | None) -> Ints:
    p = d + (d >> 1) - (d >> 4)
    if lam is not None:
        p = np.maximum(p, -lam * n * i0)
    q = -p // i0
    v = p + (q + 2) * i0
    left = n - 1 - q
    up = v << np.clip(left, 0, 38)  # v >= 2, so a clipped shift (q < 0) is beyond I31 anyway
    down = v >> np.clip(-left, 0, 63)
    return np.asarray(np.where(left < 0, down, np.where(q < 0, np.minimum(up, I31), up)))


def _rshift_rhe(p: Ints, c: Ints) -> Ints:
    q = p >> c
    rest = p & ~(np.int64(-1) << c)
    half = np.int64(1) << np.maximum(c - 1, 0)  # c = 0: rest is 0 and stays below
    return np.asarray(q + ((rest > half) | ((rest == half) & (q & 1 == 1))))


def _ints(name: str, value: ArrayLike) -> Ints:
    a = np.asarray(value)
    if a.size == 0 and not isinstance(value, np.ndarray):
        a = a.astype(np.int64)  # NumPy reads [] as float64
    if a.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an integer or an array of integers, not {a.dtype}")
    if a.dtype == np.uint64 and int(a.max(initial=0)) >= 2**63:
        raise ValueError(f"{name} must fit in int64, not {a.max()}")
    return a.astype(np.int64, copy=False)


def _in_range(name: str, a: Ints, low: int, high: int) -> Ints:
    if a.size and (a.min() < low or a.max() > high):
        bad = a[(a < low) | (a > high)].flat[0]
        raise ValueError(f"{name} must be in {low}..{high}, not {bad}")
    return a


def _shift(name: str, c: ArrayLike) -> Ints:
    return _in_range(name, _ints(name, c), 0, MAX_SHIFT)


def _i0(i0: ArrayLike) -> Ints:
    return _in_range("i0", _ints("i0", i0), 1, MAX_I0)


def _index(name: str, value: int, low: int, high: int) -> int:
    k = as_integer(name, value)
    if not low <= k <= high:
        raise ValueError(f"{name} must be in {low}..{high}, not {k}")
    return k


def _one_of(name: str, value: int, allowed: tuple[int, ...]) -> int:
    k = as_integer(name, value)
    if k not in allowed:
        wanted = f"{', '.join(map(str, allowed[:-1]))} or {allowed[-1]}"
        raise ValueError(f"{name} must be {wanted}, not {k}")
    return k


def _magnitude(a: Ints) -> int:
    return max(-int(a.min()), int(a.max())) if a.size else 0


def _product(x_name: str, x: ArrayLike, b_name: str, b: ArrayLike) -> Ints:
    xs, bs = _ints(x_name, x), _ints(b_name, b)
    worst = _magnitude(xs) * _magnitude(bs)
    if worst > MAX_PRODUCT:
        raise ValueError(f"{x_name} * {b_name} must stay within 2**62, not reach {worst}")
    return np.asarray(xs * bs)


def _narrow(v: Ints, out_bits: int) -> Narrow:
    bits = _one_of("out_bits", out_bits, tuple(_WIDTHS))
    return saturate(v, bits).astype(_WIDTHS[bits])
