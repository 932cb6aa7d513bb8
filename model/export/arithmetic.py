"""`model.integer.arithmetic` as ONNX operators: exact integers, no floats.

Functions append nodes to a `Writer` and return the name of the result. ONNX has no arithmetic
right shift, no rounding division and no integer root: these are made of unsigned shifts, of
divisions of non-negative numbers and of comparisons.

Sign, Min, Max and Clip of int64 are not used: on x86 ONNX Runtime (1.31 and before) compares
only the low halves, as signed, where the high ones are equal (its issue 32475). It has them
right for uint64, and comparisons for both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.model.export.writer import Value, Writer
from intarsia.model.integer.arithmetic import I31
from intarsia.model.integer.graph import Node, Tensor

OFFSET = np.uint8(128)
"""What an int8 is stored above: `unsigned`."""
_DIGIT = 7


def rshift(w: Writer, x: str, c: ArrayLike) -> str:
    """x >> c of int64 x >= 0, c in 0..63, as uint64: BitShift takes unsigned numbers only."""
    return w.op("BitShift", w.cast(x, np.uint64), np.asarray(c, np.uint64), direction="RIGHT")


def multiply(w: Writer, x: str, b: ArrayLike) -> str:
    """x * b of any integer type, as int64."""
    return w.op("Mul", w.cast(x, np.int64), np.asarray(b, np.int64))


def row_sums(w: Writer, x: str, width: int, weight: int = 1) -> str:
    """weight * sum of int64 x [..., width] over its last axis: [..., 1].

    As a product with a column, ONNX Runtime is exact and six times faster than with ReduceSum,
    which is not exact beyond 53 bits.
    """
    return w.op("MatMul", x, np.full((width, 1), weight, np.int64))


def before_shift(w: Writer, p: str, c: NDArray[np.int64]) -> str:
    """int64 p + r with (p + r) >> c = RHE(p / 2**c), for |p| <= 2**62, c in 0..63, or c below 63 and
    |p| < 2**62 + 2**61.

    r = half - 1 + bit c of p, the parity of p >> c: a tie passes to the next number only when
    that is even. Nothing overflows.
    """
    # c = 0 has nothing to round.
    bit = np.where(c > 0, np.int64(1) << c, 0)
    half = np.where(c > 0, (np.int64(1) << np.maximum(c - 1, 0)) - 1, 0)
    odd = w.cast(w.cast(w.op("BitwiseAnd", p, bit), np.bool_), np.int64)
    return w.op("Add", w.op("Add", p, odd), half)


def requantize(w: Writer, p: str, c: ArrayLike, out_bits: int) -> str:
    """sat(RHE(p / 2**c)) of int64 p as in `before_shift`; c a number or one per channel.

    The floor shift of a signed number is that of the number + 2**63, less 2**(63-c). It is
    saturated with this offset, of which the low `out_bits` bits mostly know nothing.
    """
    shift = np.asarray(c, np.int64)
    flipped = w.op("BitwiseXor", before_shift(w, p, shift), np.int64(-(2**63)))
    q = rshift(w, flipped, shift)
    offset, top = np.uint64(1) << np.uint64(63 - shift), np.uint64(1 << (out_bits - 1))
    low, high = offset - np.minimum(offset, top), offset + (top - np.uint64(1))
    if shift.ndim == 0:
        q = w.op("Clip", q, low, high)
    else:
        q = w.op("Min", w.op("Max", q, low), high)
    rest = (offset % np.uint64(1 << out_bits)).astype(np.int32)
    if rest.any():
        q = w.op("Sub", w.cast(q, np.int32), rest)
    return w.cast(q, f"int{out_bits}")


def requantized(w: Writer, node: Node, acc: str) -> str:
    """An accumulator by the scalars b, c of the node, to its `out_bits`."""
    p = multiply(w, acc, node.integer("b"))
    return requantize(w, p, node.integer("c"), node.integer("out_bits"))


def nearest_of_63(w: Writer, p: str, out_bits: int) -> str:
    """RHE(p / 2**63) of any int64 p: -1, 0 or 1, and 0 for a half."""
    above, below = w.op("Greater", p, np.int64(2**62)), w.op("Less", p, np.int64(-(2**62)))
    sides = [w.cast(side, np.int32) for side in (above, below)]
    return w.cast(w.op("Sub", *sides), f"int{out_bits}")


def residual(w: Writer, x: str, b1: int, c1: int, identity: str, b2: int, c2: int) -> str:
    """sat_16(RHE(x * b1 / 2**c1) + RHE(identity * b2 / 2**c2)) of int16 x, identity."""
    total: str | None = None
    offset = 0
    for value, b, c in ((x, b1, c1), (identity, b2, c2)):
        # |p| < 2**47, so beyond c = 48 the result is 0. 2**61 leaves room for the sum of two.
        shift = np.asarray(min(c, 49))
        p = before_shift(w, multiply(w, value, b), shift)
        q = w.cast(rshift(w, w.op("Add", p, np.int64(2**61)), shift), np.int64)
        total = q if total is None else w.op("Add", total, q)
        offset += 2**61 >> int(shift)
    assert total is not None
    above = w.cast(w.op("Add", total, np.int64(2**62 - offset)), np.uint64)
    low, high = np.uint64(2**62 - 2**15), np.uint64(2**62 + 2**15 - 1)
    return w.cast(w.op("Clip", above, low, high), np.int16)


def unsigned(w: Writer, x: str) -> str:
    """int8 x + 128 as uint8: its bits with the sign flipped."""
    return w.op("BitwiseXor", w.cast(x, np.uint8), OFFSET)


def product(w: Writer, x: Value, y: Value, x_zero: np.uint8 = OFFSET) -> str:
    """Matrix product of uint8 x - x_zero and uint8 y - 128: int32.

    Both are unsigned because ONNX Runtime's kernels of unsigned by signed bytes saturate their
    16-bit partial sums on processors with AVX2 and no VNNI, which gives wrong integers.
    """
    return w.op("MatMulInteger", x, y, x_zero, OFFSET)


def head(w: Writer, qkv: Tensor, heads: int, part: int) -> str:
    """q, k or v (part 0, 1, 2) of qkv int8 [T, 3*H*D], above 128: uint8 [T, H, D]."""
    tokens, channels = qkv.shape[0], qkv.shape[1] // 3
    x = w.cut(qkv.name, part * channels, (part + 1) * channels, axis=1)
    return w.reshape(unsigned(w, x), tokens, heads, channels // heads)


def isqrt(w: Writer, v: str, bits: int) -> str:
    """floor(sqrt(v)) of int64 v [..., 1] with a root of at most `bits` bits, at most 28.

    Digits of 7 bits from the top: the digit is the number of its values 1..127 with which the
    square still fits.
    """
    root: str | None = None
    for low in reversed(range(0, bits, _DIGIT)):
        digits = np.arange(1, 1 << _DIGIT, dtype=np.int64) << low
        trial: Value = digits if root is None else w.op("Add", root, digits)
        fits = w.cast(w.op("LessOrEqual", w.op("Mul", trial, trial), v), np.int64)
        digit = row_sums(w, fits, digits.size, 1 << low)
        root = digit if root is None else w.op("Add", root, digit)
    assert root is not None, "bits must be positive"
    return root


def row_mean(w: Writer, x: str, width: int) -> str:
    """RHE(sum / width) over the last axis of int64 x of 16 bits, `width` long: [..., 1].

    (2 t + width - 1 + parity of t // width) // (2 width), with 2**16 added for t >= 0.
    """
    t = w.op("Add", row_sums(w, x, width), np.int64(width << 16))
    odd = w.op("BitwiseAnd", w.op("Div", t, np.int64(width)), np.int64(1))
    twice = w.op("Add", w.op("Add", w.op("Add", t, t), odd), np.int64(width - 1))
    return w.op("Sub", w.op("Div", twice, np.int64(2 * width)), np.int64(1 << 16))


def standardized(w: Writer, x: str, width: int) -> str:
    """z of I-LayerNorm (numerics section 4) of int16 x over its last axis, `width` long: int64."""
    wide = w.cast(x, np.int64)
    y = w.op("Sub", wide, row_mean(w, wide, width))
    v = row_sums(w, w.op("Mul", y, y), width)  # below width * 2**30
    root = isqrt(w, v, (31 + (width - 1).bit_length()) // 2)
    s = w.cast(w.op("Max", w.cast(root, np.uint64), np.uint64(1)), np.int64)
    scaled = w.op("Mul", y, w.op("Div", np.int64(I31), s))
    # |y * f| <= I31: made non-negative for the shift, put back after it.
    z = w.cast(rshift(w, w.op("Add", scaled, np.int64(2**31)), 1), np.int64)
    return w.op("Sub", z, np.int64(2**30))


def lookup(w: Writer, table: NDArray[np.integer], index: str, shape: tuple[int, ...]) -> str:
    """table [n] at int32 `index`, which may count from its end: an array of `shape`.

    On flat arrays by GatherElements: 25 times faster in ONNX Runtime than Gather.
    """
    flat = w.op("GatherElements", table, w.reshape(index, -1), axis=0)
    return w.reshape(flat, *shape)
