"""Attention of one image: scores, Shiftmax and the weighted sum of the values, head by head."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from intarsia.model.integer.kernels.jit import Int8, kernel, shift_right, threads
from intarsia.model.integer.kernels.requantize import (
    is_narrow,
    requantize_block,
    requantize_narrow,
    requantize_wide,
    scale,
)
from intarsia.model.integer.kernels.tile import COLUMNS, GROUP, ROWS, multiply_block, pack

BLOCK = 4 * ROWS  # queries that are worked on together; only their scores exist at any time


def attend(
    qkv: Int8,
    heads: int,
    i0: int,
    score: tuple[int, int],
    output: tuple[int, int],
    *,
    n: int = 15,
    reciprocal_bits: int = 31,
    probability_bits: int = 16,
) -> Int8:
    """Values weighted by the Shiftmax of the scores: int8 [T, D].

    `qkv` int8 [T, 3D]: all heads of q, then of k, then of v. `score` and `output` are the (b, c)
    that requantize q k^T and p v. `i0` 1..2^23, `n` 1..31, `reciprocal_bits` 15..46 and the
    width of the probabilities, 8 or 16, are those of `arithmetic.shiftmax`.
    """
    scores, probabilities = np.empty((0, 0, 0), np.int8), np.empty((0, 0, 0), np.int16)
    shiftmax = i0, n, reciprocal_bits, probability_bits
    return _attend(qkv, heads, shiftmax, score, output, scores, probabilities)


def attention_steps(
    qkv: Int8,
    heads: int,
    i0: int,
    score: tuple[int, int],
    output: tuple[int, int],
    *,
    n: int = 15,
    reciprocal_bits: int = 31,
    probability_bits: int = 16,
) -> tuple[Int8, NDArray[Any], Int8]:
    """`attend` that also returns what it passes through.

    Returns the scores int8 [H, T, T], the probabilities int16 or int8 [H, T, T] and the output.
    """
    shape = heads, qkv.shape[0], qkv.shape[0]
    scores, probabilities = np.empty(shape, np.int8), np.empty(shape, np.int16)
    shiftmax = i0, n, reciprocal_bits, probability_bits
    out = _attend(qkv, heads, shiftmax, score, output, scores, probabilities)
    return scores, probabilities.astype(np.int8) if probability_bits == 8 else probabilities, out


def shiftmax_rows(
    scores: Int8, i0: int, *, n: int = 15, reciprocal_bits: int = 31, out_bits: int = 16
) -> NDArray[Any]:
    """Shiftmax of every row of int8 `scores` [R, T], T >= 1: int16 or int8 as `out_bits` says.

    Constants as those of `attend`.
    """
    if scores.shape[1] < 1:
        raise ValueError("scores must have at least one column, not 0")
    out = np.empty(scores.shape, np.int16)
    _shiftmax(scores, _constants(i0, n, reciprocal_bits, out_bits), out, threads())
    return out.astype(np.int8) if out_bits == 8 else out


def _attend(
    qkv: Int8,
    heads: int,
    shiftmax: tuple[int, int, int, int],
    score: tuple[int, int],
    output: tuple[int, int],
    scores: Int8,
    probabilities: NDArray[np.int16],
) -> Int8:
    constants = _constants(*shiftmax)
    tokens, dim = qkv.shape[0], qkv.shape[1] // 3
    if qkv.shape[1] != 3 * dim or dim % heads:
        raise ValueError(f"columns must be 3 * {heads} heads of one size, not {qkv.shape[1]}")
    out = np.empty((tokens, dim), np.int8)
    first, second = scale(*score, COLUMNS, 8), scale(*output, dim, 8)
    _attention(qkv, heads, constants, first, second, scores, probabilities, out, threads())
    return out


def _constants(i0: int, n: int, reciprocal_bits: int, bits: int) -> tuple[int, int, int, int]:
    """The constants of Shiftmax as the kernels take them: the last is the bits to drop."""
    i0, n, reciprocal_bits = int(i0), int(n), int(reciprocal_bits)
    if bits not in (8, 16):
        raise ValueError(f"probabilities must have 8 or 16 bits, not {bits}")
    if not (1 <= i0 <= 2**23 and 1 <= n <= 31 and 15 <= reciprocal_bits <= 46):
        values = f"i0 = {i0}, n = {n}, reciprocal_bits = {reciprocal_bits}"
        raise ValueError(f"Shiftmax must have i0 1..2^23, n 1..31, reciprocals 15..46, not {values}")
    return i0, n, reciprocal_bits, 16 - int(bits)


@kernel(parallel=True)
def _attention(qkv, heads, shiftmax, score, output, scores, probabilities, out, workers):  # type: ignore[no-untyped-def]
    tokens, dim = out.shape
    depth = dim // heads
    keys = np.empty((heads, -(-tokens // COLUMNS), -(-depth // 2), COLUMNS, 2), np.int16)
    values = np.empty((heads, -(-depth // COLUMNS), -(-tokens // 2), COLUMNS, 2), np.int16)
    for i in numba.prange(2 * heads):
        head, start = i // 2, dim + i // 2 * depth
        if i % 2:
            pack(qkv[:, start : start + depth], keys[head])
        else:
            pack(qkv[:, start + dim : start + dim + depth].T, values[head])
    total = heads * -(-tokens // BLOCK)
    for worker in numba.prange(workers):
        first, last = total * worker // workers, total * (worker + 1) // workers
        _blocks(first, last, qkv, keys, values, shiftmax, score, output, scores, probabilities, out)


@kernel(entry=False)
def _blocks(first, last, qkv, keys, values, shiftmax, score, output, scores, probabilities, out):  # type: ignore[no-untyped-def]
    """Blocks first..last of queries, counted head by head."""
    tokens, depth = out.shape[0], out.shape[1] // keys.shape[0]
    count, narrow = -(-tokens // BLOCK), is_narrow(score, 0)
    query = np.zeros((BLOCK, 2 * keys.shape[2]), np.int16)  # an odd depth ends in a zero
    weights = np.zeros((BLOCK, 2 * values.shape[2]), np.int16)  # as does an odd number of tokens
    acc = np.empty(BLOCK * GROUP, np.int32)
    logits = np.empty((BLOCK, keys.shape[1] * COLUMNS), np.int8)
    scratch = np.empty(tokens, np.int32)
    for block in range(first, last):
        head, start = block // count, block % count * BLOCK
        rows = min(BLOCK, tokens - start)
        for row in range(rows):
            for i in range(depth):
                query[row, i] = qkv[start + row, head * depth + i]
        for column in range(0, tokens, GROUP):
            columns = min(GROUP, tokens - column)
            multiply_block(query, rows, keys, head * keys.shape[1] + column // COLUMNS, columns, acc)
            for row in range(rows):
                for j in range(0, columns, COLUMNS):
                    source, target = row * GROUP + j, row * logits.shape[1] + column + j
                    if narrow:
                        requantize_narrow(acc, source, score, 0, logits, target)
                    else:
                        requantize_wide(acc, source, score, 0, logits, target)
        for row in range(rows):
            _shiftmax_row(logits, row, tokens, shiftmax, scratch, weights)
        if scores.size:
            for row in range(rows):
                for i in range(tokens):
                    scores[head, start + row, i] = logits[row, i]
                    probabilities[head, start + row, i] = weights[row, i]
        for column in range(0, depth, GROUP):
            columns = min(GROUP, depth - column)
            panel = head * values.shape[1] + column // COLUMNS
            multiply_block(weights, rows, values, panel, columns, acc)
            requantize_block(acc, GROUP, output, out, start, rows, head * depth + column, columns)


@kernel(parallel=True)
def _shiftmax(scores, shiftmax, out, workers):  # type: ignore[no-untyped-def]
    rows = scores.shape[0]
    for worker in numba.prange(workers):
        scratch = np.empty(scores.shape[1], np.int32)
        for row in range(rows * worker // workers, rows * (worker + 1) // workers):
            _shiftmax_row(scores, row, scores.shape[1], shiftmax, scratch, out)


@kernel(entry=False)
def _shiftmax_row(logits, row, tokens, shiftmax, scratch, weights):  # type: ignore[no-untyped-def]
    """weights[row] = Shiftmax of logits[row, :tokens]; `scratch` int32 [tokens]."""
    i0, n, reciprocal_bits, _ = shiftmax
    high = logits[row, 0]
    for i in range(tokens):
        high = max(high, logits[row, i])
    if i0 << n <= 2**31 - 1 and reciprocal_bits <= 31:
        _shiftmax_vector(logits, row, tokens, high, shiftmax, scratch, weights)
    else:
        _shiftmax_table(logits, row, tokens, high, shiftmax, weights)


@kernel(entry=False)
def _shiftmax_vector(logits, row, tokens, high, shiftmax, e, weights):  # type: ignore[no-untyped-def]
    """In 32 bits throughout, since e <= i0 * 2^n and e*f < 2^reciprocal_bits.

    The division by i0 is a multiplication, exact because -p <= min(n*i0, 383). The casts keep
    Numba from widening to 64 bits, which would halve the speed.
    """
    i0, n, reciprocal_bits, drop = shiftmax
    zero, one, four = np.int32(0), np.int32(1), np.int32(4)
    top, low, size, twice = np.int32(high), np.int32(-n * i0), np.int32(i0), np.int32(2 * i0)
    inverse, unit = np.int32(2**22 // i0 + 1), np.int32(1 << (n - 1))
    for i in range(tokens):
        d = np.int32(np.int32(logits[row, i]) - top)
        p = max(np.int32(np.int32(d + shift_right(d, one)) - shift_right(d, four)), low)
        q = shift_right(np.int32(np.int32(zero - p) * inverse), np.int32(22))
        r = np.int32(p + np.int32(q * size))
        e[i] = shift_right(np.int32(np.int32(r + twice) * unit), q)
    total = np.int64(0)
    for i in range(tokens):
        total += e[i]
    f = np.int32(((1 << reciprocal_bits) - 1) // max(min(total, 2**31 - 1), 1))
    right, most, drop = np.int32(reciprocal_bits - 15), np.int32(32767), np.int32(drop)
    for i in range(tokens):
        p = min(shift_right(np.int32(e[i] * f), right), most)
        weights[row, i] = shift_right(p, drop)


@kernel(entry=False)
def _shiftmax_table(logits, row, tokens, high, shiftmax, weights):  # type: ignore[no-untyped-def]
    """Any i0 and reciprocal, in 64 bits; the distance from the maximum decides an element."""
    i0, n, reciprocal_bits, drop = shiftmax
    table = np.empty(256, np.int64)
    for d in range(256):
        p = max(-d + (-d >> 1) - (-d >> 4), -n * i0)
        q = -p // i0
        table[d] = min((p + q * i0 + 2 * i0) << (n - 1) >> q, 2**47)  # saturates anyway
    total = np.int64(0)
    for i in range(tokens):
        total += table[np.int64(high) - logits[row, i]]
    f = ((1 << reciprocal_bits) - 1) // max(min(total, 2**31 - 1), 1)
    for d in range(256):
        table[d] = min((table[d] * f) >> (reciprocal_bits - 15), 32767) >> drop
    for i in range(tokens):
        weights[row, i] = table[np.int64(high) - logits[row, i]]
