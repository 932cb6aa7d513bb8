"""MATMUL: what the MAC array and its output stage compute."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Layout, Matmul, Space
from intarsia.arch.legal import FIELD, InstructionError
from intarsia.emu.execute.memory import Memories
from intarsia.model.integer import arithmetic, kernels
from intarsia.model.integer.constants import MAX_SHIFT

SCALAR = np.dtype([("b", "<i4"), ("c", "u1")])
ENTRY = np.dtype([("bias", "<i4"), ("b", "<i4"), ("c", "u1"), ("zeros", "u1", 3)])
"""What precedes the weights of a tile in the stationary buffer, once per output."""


def matmul(memories: Memories, op: Matmul) -> None:
    """out = requantize(x y^T + bias, b, c); y is read where and as `op.layout` says."""
    x = memories.matrix(op.x, op.x_stride, op.m, op.k, np.int16 if op.x16 else np.int8)
    out = memories.matrix(op.out, op.out_stride, op.m, op.n, np.int16 if op.out16 else np.int8)
    bias: NDArray[np.int32] | None = None
    if op.layout is Layout.PACKED:
        y, bias, b, c = _packed(memories, op)
    else:
        lane_major = op.layout is Layout.LANE_MAJOR
        rows, columns = (op.n, op.k) if lane_major else (op.k, op.n)
        y = memories.matrix(op.y, op.y_stride, rows, columns, np.int8)
        y = y if lane_major else y.T
        b, c = (np.array([value]) for value in memories.parameter(op.param, SCALAR))
    if c.max() > MAX_SHIFT:
        raise InstructionError(FIELD, f"shift c must be in 0..{MAX_SHIFT}, not {c.max()}")
    bits = 16 if op.out16 else 8
    if op.x16 or b.min() == -(2**31):  # the kernels take neither
        out[:] = arithmetic.requantize(_accumulate(x, y, bias), b, c, out_bits=bits)
    else:
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        out[:] = kernels.linear(x, y, bias, _scalar(b), _scalar(c), out_bits=bits)


def _accumulate(x: Any, y: Any, bias: NDArray[np.int32] | None) -> NDArray[np.int32]:
    """x y^T + bias in int32, which wraps.

    Every sum of float64 is exact: it stays below 2^15 * 2^7 * 2^16.
    """
    total = (x.astype(np.float64) @ y.astype(np.float64).T).astype(np.int64)
    return (total if bias is None else total + bias).astype(np.int32)


def _packed(memories: Memories, op: Matmul) -> tuple[Any, Any, Any, Any]:
    """Weights [N, K], bias, b and c [N] of the tiles at y in the stationary buffer."""
    lanes, depth = memories.machine.lanes, memories.machine.depth
    tiles, steps = -(-op.n // lanes), -(-op.k // depth)
    head, body = lanes * ENTRY.itemsize, steps * lanes * depth
    space = Space.STATIONARY
    entries = memories.view(space, op.y, (tiles, lanes), (head + body,), ENTRY).reshape(-1)[: op.n]
    strides = (head + body, lanes * depth, depth)
    weights = memories.view(space, op.y + head, (tiles, steps, lanes, depth), strides, np.int8)
    y = weights.swapaxes(1, 2).reshape(tiles * lanes, steps * depth)[: op.n, : op.k]
    return y, entries["bias"].copy(), entries["b"].copy(), entries["c"].copy()


def _scalar(values: Any) -> Any:
    return int(values[0]) if values.size == 1 else values
