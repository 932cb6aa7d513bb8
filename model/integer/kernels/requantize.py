"""Requantization of int32 accumulators, sat(RHE((acc + bias)*b / 2^c)), COLUMNS at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

from intarsia.model.integer.kernels.jit import I32, I64, Emitter, kernel
from intarsia.model.integer.kernels.tile import COLUMNS

# Rows of the array that `scale` makes. SPLIT is negative where `requantize_narrow` cannot serve.
BIAS, LOW, HIGH, B, C, SPLIT, MASK, SHIFT, HALF = range(9)

Scale = NDArray[np.int32]


def scale(b: ArrayLike, c: ArrayLike, columns: int, out_bits: int, bias: ArrayLike | None = None) -> Scale:
    """Constants for `columns` columns; multipliers |b| < 2^31 and shifts 0 <= c <= 63.

    A column each, followed by COLUMNS spare ones, so that whole vectors may be read.
    """
    constants = np.zeros((9, columns + COLUMNS), np.int32)
    if bias is not None:
        constants[BIAS, :columns] = bias
    b = np.array(np.broadcast_to(b, columns), dtype=np.int64)
    c = np.array(np.broadcast_to(c, columns), dtype=np.int64)
    if not _fill(b, c, constants, out_bits):
        raise ValueError("multipliers must be within 2^31 - 1 and shifts within 0..63")
    return constants


@kernel()
def _fill(multipliers, shifts, constants, out_bits):  # type: ignore[no-untyped-def]
    limit = 2**31 - 1
    for i in range(multipliers.size):
        b, c = multipliers[i], shifts[i]
        if abs(b) > limit or c < 0 or c > 63:
            return False
        if c == 0:
            b, c = min(max(2 * b, -limit), limit), 1
        if c == 63:  # |x*b| <= 2^62 is at most a half, which rounds to 0
            b, c = 0, 62
        high = limit
        if c <= 62 - out_bits:
            beyond = (2 ** (out_bits - 1) + 1) << c  # a product of this size saturates
            high = min(-(-beyond // max(abs(b), 1)), limit)
        split = max(c - (31 - out_bits), 0)
        constants[LOW, i] = ~limit if high == limit else -high
        constants[HIGH, i] = high
        constants[B, i], constants[C, i] = b, c
        constants[SPLIT, i] = -1
        if abs(b) < 2**20 and split < 31 and abs(b) << split <= limit:
            constants[SPLIT, i], constants[MASK, i] = split, (1 << split) - 1
            constants[SHIFT, i], constants[HALF, i] = c - split, 1 << (c - split - 1)
    return True


def _wide(e: Emitter, x: Any, load: Callable[[int], Any]) -> Any:
    """The quotient by way of 64 bits: any b and c.

    2^63 makes a logical shift round the signed product (AVX2 has no arithmetic one of this
    width). It is taken away again modulo 2^32, which is enough since x is clamped.
    """
    build = e.builder
    product = build.mul(e.extend(x, I64), e.extend(load(B), I64))
    c = e.extend(load(C), I64)
    one, sign = e.every(c, 1), e.every(c, -(2**63))
    half = build.sub(build.shl(one, build.sub(c, one)), one)
    odd = build.and_(build.lshr(product, c), one)
    total = build.add(build.add(build.xor(product, sign), half), odd)
    offset = build.lshr(sign, c)
    return build.trunc(build.sub(build.lshr(total, c), offset), x.type)


def _narrow(e: Emitter, x: Any, load: Callable[[int], Any]) -> Any:
    """The quotient in 32 bits, twice as fast: x = upper * 2^split + lower, multiplied apart.

    Clamped, |x*b| < 2^31 * 2^split, so that the upper product fits; lower*b fits by the choice
    of columns in `_fill`. Only its sign and carries reach the quotient.
    """
    build = e.builder
    b, split, shift = load(B), load(SPLIT), load(SHIFT)
    upper = build.mul(build.ashr(x, split), b)
    lower = build.mul(build.and_(x, load(MASK)), b)
    one = e.every(x, 1)
    odd = build.and_(build.ashr(build.add(upper, build.ashr(lower, split)), shift), one)
    carry = build.ashr(build.add(build.sub(lower, one), odd), split)
    return build.ashr(build.add(build.add(upper, load(HALF)), carry), shift)


def _lanes(quotient: Callable[[Emitter, Any, Callable[[int], Any]], Any]) -> Any:
    @intrinsic
    def requantize_lanes(context, acc, acc_start, scale, column, out, out_start):  # type: ignore[no-untyped-def]
        """COLUMNS values of int32 `acc` to int8 or int16 `out`, constants from `column` on."""
        n = types.intp
        signature = types.void(acc, n, scale, n, out, n)

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            e = Emitter(context, builder, signature, arguments)
            _, acc_start, constants, column, _, out_start = arguments
            make = context.make_array(signature.args[2])
            width = builder.extract_value(make(context, builder, constants).shape, 1)
            vector = ir.VectorType(I32, COLUMNS)

            def load(row: int) -> Any:
                return builder.load(e.address(2, [e.times(width, row), column], vector), align=4)

            x = builder.load(e.address(0, [acc_start], vector), align=4)
            x = e.clamp(builder.add(x, load(BIAS)), load(LOW), load(HIGH))
            narrow = context.get_value_type(signature.args[4].dtype)
            top = 2 ** (narrow.width - 1) - 1
            x = e.clamp(quotient(e, x, load), e.every(x, ~top), e.every(x, top))
            place = e.address(4, [out_start], ir.VectorType(narrow, COLUMNS))
            builder.store(builder.trunc(x, place.type.pointee), place, align=narrow.width // 8)
            return context.get_dummy_value()

        return signature, generate

    return requantize_lanes


requantize_narrow, requantize_wide = _lanes(_narrow), _lanes(_wide)


@kernel(entry=False)
def requantize_block(acc, stride, scale, out, row, rows, column, columns):  # type: ignore[no-untyped-def]
    """out[row + i, column + j] from acc[i*stride + j], for i < rows and j < columns.

    The last columns go by way of vectors aside, so that nothing past them is touched.
    """
    before, after = np.zeros(COLUMNS, np.int32), np.empty(COLUMNS, out.dtype)
    for j in range(0, columns, COLUMNS):
        narrow, width = is_narrow(scale, column + j), min(COLUMNS, columns - j)
        for i in range(rows):
            source, target = i * stride + j, (row + i) * out.shape[1] + column + j
            if width < COLUMNS:
                for k in range(width):
                    before[k] = acc[source + k]
                requantize_wide(before, 0, scale, column + j, after, 0)
                for k in range(width):
                    out[row + i, column + j + k] = after[k]
            elif narrow:
                requantize_narrow(acc, source, scale, column + j, out, target)
            else:
                requantize_wide(acc, source, scale, column + j, out, target)


@kernel(entry=False)
def is_narrow(scale, column):  # type: ignore[no-untyped-def]
    """Whether `requantize_narrow` may serve the COLUMNS columns from `column` on."""
    for i in range(column, column + COLUMNS):
        if scale[SPLIT, i] < 0:
            return False
    return True
