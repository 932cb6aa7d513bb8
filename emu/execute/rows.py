"""What the row units and the elementwise unit compute: SHIFTMAX to EXPAND."""

from __future__ import annotations

from typing import Any

import numpy as np

from intarsia.arch.isa import Argmax, Expand, Gelu, Layernorm, Lookup, Residual, Shiftmax, Space
from intarsia.arch.legal import check
from intarsia.emu.execute.memory import Memories
from intarsia.model.integer import kernels
from intarsia.model.integer.constants import GELU_FORMS, MAX_BIAS, MAX_I0, MAX_SHIFT
from intarsia.model.integer.fast import gelu_table
from intarsia.model.integer.graph import Node

SHIFTMAX = np.dtype([("i0", "<u4"), ("n", "u1"), ("reciprocal_bits", "u1")])
LAYERNORM = np.dtype([("unused", "<i4"), ("c", "u1")])
GELU = np.dtype(
    {"names": ["b", "c", "form", "i0"], "formats": ["<i4", "u1", "u1", "<u4"], "offsets": [0, 4, 5, 8]}
)
RESIDUAL = np.dtype(
    {"names": ["b1", "c1", "b2", "c2"], "formats": ["<i4", "u1", "<i4", "u1"], "offsets": [0, 4, 8, 12]}
)
CHANNEL = np.dtype([("b", "<i4"), ("B", "<i8")])
FORMS = tuple(GELU_FORMS)


def shiftmax(memories: Memories, op: Shiftmax) -> None:
    source, target = _rows(memories, op, np.int8, np.int8 if op.out8 else np.int16)
    i0, n, reciprocal_bits = memories.parameter(op.param, SHIFTMAX)
    check("i0", i0, 1, MAX_I0)
    check("n", n, 1, 31)
    check("reciprocal bits", reciprocal_bits, 15, 46)
    options = {"n": n, "reciprocal_bits": reciprocal_bits, "out_bits": 8 if op.out8 else 16}
    target[:] = kernels.shiftmax_rows(np.ascontiguousarray(source), i0, **options)


def layernorm(memories: Memories, op: Layernorm) -> None:
    source, target = _rows(memories, op, np.int16, np.int16 if op.out16 else np.int8)
    place = op.slot * memories.machine.slot_bytes
    channels = memories.view(Space.CONSTANTS, place, (op.length,), (), CHANNEL)
    b, B = channels["b"].copy(), channels["B"].copy()
    _, c = memories.parameter(op.param, LAYERNORM)
    check("shift c", c, 0, MAX_SHIFT)
    check("B", int(B.min()), -MAX_BIAS, MAX_BIAS)
    check("B", int(B.max()), -MAX_BIAS, MAX_BIAS)
    target[:] = kernels.layernorm(np.ascontiguousarray(source), b, B, c, out_bits=16 if op.out16 else 8)


def gelu(memories: Memories, op: Gelu) -> None:
    source, target = _rows(memories, op, np.int8, np.int8)
    b, c, form, i0 = memories.parameter(op.param, GELU)
    check("shift c", c, 0, MAX_SHIFT)
    check("form", form, 0, len(FORMS) - 1)
    check("i0", i0, 1, MAX_I0)
    table = gelu_table(Node("gelu", "gelu", (), {}, {"form": FORMS[form], "i0": i0, "b": b, "c": c}))
    look = kernels.lookup if table.ndim == 1 else kernels.lookup_rows
    target[:] = look(np.ascontiguousarray(source), table)


def residual(memories: Memories, op: Residual) -> None:
    x = memories.matrix(op.x, op.x_stride, op.rows, op.length, np.int16)
    identity = memories.matrix(op.identity, op.identity_stride, op.rows, op.length, np.int16)
    target = memories.matrix(op.target, op.target_stride, op.rows, op.length, np.int16)
    b1, c1, b2, c2 = memories.parameter(op.param, RESIDUAL)
    check("shift c1", c1, 0, MAX_SHIFT)
    check("shift c2", c2, 0, MAX_SHIFT)
    x, identity = np.ascontiguousarray(x), np.ascontiguousarray(identity)
    target[:] = kernels.residual(x, b1, c1, identity, b2, c2)


def lookup(memories: Memories, op: Lookup) -> None:
    source, target = _rows(memories, op, np.uint8, np.int8)
    table = memories.view(Space.TABLE, 0, (3, 256), (256,), np.int8)
    target[:] = table[np.arange(op.length) % 3, source]


def argmax(memories: Memories, op: Argmax) -> None:
    source = memories.matrix(op.source, op.source_stride, op.rows, op.length, np.int16)
    target = memories.matrix(op.target, 0, 1, op.rows, np.uint16 if op.wide else np.uint8)
    target[0] = np.argmax(source, axis=1)


def expand(memories: Memories, op: Expand) -> None:
    label = np.uint16 if op.wide else np.uint8
    source = memories.matrix(op.source, op.source_stride, op.rows, op.length, label)
    width = op.length * op.factor
    target = memories.matrix(op.target, op.target_stride, op.rows, width, label)
    target[:] = np.repeat(source, op.factor, axis=1)


def _rows(memories: Memories, op: Any, read: Any, write: Any) -> tuple[Any, Any]:
    """Source and target of an instruction whose rows stay as long as they are."""
    source = memories.matrix(op.source, op.source_stride, op.rows, op.length, read)
    return source, memories.matrix(op.target, op.target_stride, op.rows, op.length, write)
