"""Operators on rows and elements: I-LayerNorm, residual, byte tables, pixels and labels."""

from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.model.integer.kernels.jit import Int8, Int16, kernel, shift_right, threads


def layernorm(x: Int16, b: ArrayLike, B: ArrayLike, c: int, *, out_bits: int = 8) -> NDArray[Any]:
    """I-LayerNorm of every row of int16 `x` [T, D]: int8 or int16 as `out_bits` says.

    `b` int32 and `B` int64 [D], |B| <= 2^62; one shift `c` (0..63).
    """
    out = np.empty(x.shape, np.int8 if out_bits == 8 else np.int16)
    b = np.array(np.broadcast_to(_int32(b), x.shape[1]))
    B = np.array(np.broadcast_to(B, x.shape[1]), dtype=np.int64)
    _layernorm(x, b, B, int(c), out, threads())
    return out


@kernel(parallel=True)
def _layernorm(x, b, bias, c, out, workers):  # type: ignore[no-untyped-def]
    rows = x.shape[0]
    for worker in numba.prange(workers):
        y = np.empty(x.shape[1], np.int32)
        for row in range(rows * worker // workers, rows * (worker + 1) // workers):
            _layernorm_row(x[row], b, bias, c, y, out[row])


@kernel(entry=False)
def _layernorm_row(x, b, bias, c, y, out):  # type: ignore[no-untyped-def]
    """`y` int32 [D] is scratch. Since |y| <= isqrt(sum y^2), y * (I31 // s) fits 31 bits."""
    total = np.int64(0)
    for i in range(x.size):
        total += x[i]
    mean = total // x.size
    twice = 2 * (total - mean * x.size)
    mean = np.int32(mean + (twice > x.size or (twice == x.size and mean & 1)))
    square = np.int64(0)
    for i in range(x.size):
        y[i] = np.int32(x[i]) - mean
        square += np.int64(y[i]) * np.int64(y[i])
    reciprocal = np.int32((2**31 - 1) // max(isqrt(square), 1))
    halved = np.int64(c >= 62)  # |z*b + B| may reach 2^61 + 2^62, to which `divide` cannot add a half
    rounding = rounding_constants(c - halved)
    top = np.int64(2 ** (8 * out.itemsize - 1) - 1)
    for i in range(x.size):
        z = shift_right(np.int32(y[i] * reciprocal), np.int32(1))
        v = np.int64(z) * np.int64(b[i]) + bias[i]
        if halved:  # a lost bit is kept in the lowest, where it tells a half from more
            v = v >> 1 | v & 1
        q = divide(v, rounding)
        out[i] = min(max(q, ~top), top)


@kernel(entry=False)
def rounding_constants(c):  # type: ignore[no-untyped-def]
    """What `divide` needs to know of a shift 0..63."""
    sign = np.uint64(1 << 63)
    if c == 0:
        return np.uint64(0), np.uint64(0), sign, np.int64(sign)
    c = np.uint64(c)
    return (
        c,
        np.uint64(1),
        sign + (np.uint64(1) << c - np.uint64(1)) - np.uint64(1),
        np.int64(sign >> c),
    )


@kernel(entry=False)
def divide(v, rounding):  # type: ignore[no-untyped-def]
    """RHE(v / 2^c) for |v| < 2^62, or |v| <= 2^62 + 2^61 and c < 62.

    With 2^63 added, a logical shift does it: AVX2 has no arithmetic one of 64 bits.
    """
    c, one, half, offset = rounding
    v = np.uint64(v)
    return np.int64((v + half + (v >> c & one)) >> c) - offset


@kernel(entry=False)
def isqrt(v):  # type: ignore[no-untyped-def]
    """Floor of the square root of v < 2^62, by Newton's method from above."""
    s, rest = np.int64(1), v
    while rest:
        s, rest = s << 1, rest >> 2
    while s * s > v:
        s = (s + v // s) >> 1
    return s


def residual(x: Int16, b1: int, c1: int, identity: Int16, b2: int, c2: int) -> Int16:
    """sat16(RHE(x*b1 / 2^c1) + RHE(identity*b2 / 2^c2)) of two int16 arrays of one shape."""
    out = np.empty(x.shape, np.int16)
    (b1, b2), flat = _int32([b1, b2]), (x.reshape(-1), identity.reshape(-1), out.reshape(-1))
    _residual(flat[0], b1, int(c1), flat[1], b2, int(c2), flat[2], threads())
    return out


def _int32(values: ArrayLike) -> NDArray[np.int32]:
    wide = np.asarray(values, dtype=np.int64)
    if (wide != wide.astype(np.int32)).any():
        raise ValueError("multipliers must be of at most 32 bits")
    return wide.astype(np.int32)


@kernel(parallel=True)
def _residual(x, b1, c1, identity, b2, c2, out, workers):  # type: ignore[no-untyped-def]
    for worker in numba.prange(workers):
        first, last = x.size * worker // workers, x.size * (worker + 1) // workers
        _add(x[first:last], b1, c1, identity[first:last], b2, c2, out[first:last])


@kernel(entry=False)
def _add(x, b1, c1, identity, b2, c2, out):  # type: ignore[no-untyped-def]
    first, second = rounding_constants(c1), rounding_constants(c2)
    for i in range(x.size):
        v = divide(np.int64(x[i]) * np.int64(b1), first)
        w = divide(np.int64(identity[i]) * np.int64(b2), second)
        out[i] = min(max(v + w, np.int64(-32768)), np.int64(32767))


def lookup(x: Int8, table: Int8) -> Int8:
    """table[x + 128] for every element of int8 `x`, `table` int8 [256]."""
    out = np.empty_like(x)
    _lookup(_bytes(x), np.roll(table, 128)[np.newaxis], out.reshape(out.shape[0], -1), threads())
    return out


def lookup_rows(x: Int8, table: Int8) -> Int8:
    """table[max(row) + 128, x + 128] of every row of int8 `x` [T, C], `table` int8 [256, 256]."""
    out = np.empty_like(x)
    _lookup(_bytes(x), np.roll(table, 128, 1), out, threads())
    return out


def _bytes(x: Int8) -> NDArray[np.uint8]:
    """The same bytes as rows of non-negative indices."""
    return x.reshape(x.shape[0], -1).view(np.uint8)


@kernel(parallel=True)
def _lookup(x, table, out, workers):  # type: ignore[no-untyped-def]
    rows = x.shape[0]
    for worker in numba.prange(workers):
        for row in range(rows * worker // workers, rows * (worker + 1) // workers):
            _lookup_row(x[row], table, out[row])


@kernel(entry=False)
def _lookup_row(x, table, out):  # type: ignore[no-untyped-def]
    top = np.int8(-128)
    if table.shape[0] > 1:
        for i in range(x.size):
            top = max(top, np.int8(x[i]))
    chosen = table[(np.int64(top) + 128) % table.shape[0]]
    for i in range(x.size):
        out[i] = chosen[x[i]]


def patchify(image: NDArray[np.uint8], table: Int8, patch: int) -> Int8:
    """Patches of an image through a byte table per channel: int8 [N, P*P*3].

    `image` uint8 [H, W, 3] with H and W multiples of `patch`; `table` int8 [3, 256]. Patches
    in row-major order, the values of each in the order (row, column, channel).
    """
    height, width, channels = image.shape
    pixels = table[np.arange(channels), image]
    pixels = pixels.reshape(height // patch, patch, width // patch, patch, channels)
    return np.ascontiguousarray(pixels.swapaxes(1, 2)).reshape(-1, patch * patch * channels)


def argmax_rows(x: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Index of the first maximum of every row of `x` [N, K]."""
    first: NDArray[np.int64] = np.argmax(x, axis=1)
    return first


def enlarge(labels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Nearest: out[y, x] = labels[y*h // height, x*w // width]."""
    h, w = labels.shape
    rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
    enlarged: NDArray[Any] = labels[rows][:, columns]
    return enlarged
