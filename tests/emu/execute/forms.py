"""The instructions that a node is, with what stands in which memory before them: for one node at a time.

What the compiler does for a whole network, here without any of its code, so that operators can be held
against instructions before it knows them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
)
from intarsia.arch.machine import Machine
from intarsia.emu.execute.memory import Memories
from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.ops.scores import split
from tests.model.ops.random_node import Case


class Form:
    """One case in the memories of a machine.

    instructions: what is to be run, of one kind;  memories: before it, and after it
    """

    def __init__(self, case: Case, machine: Machine) -> None:
        self.case, self.machine = case, machine
        self.memories = Memories(machine, np.zeros(64, np.uint8))
        self.instructions: list[Instruction] = []
        self._free = 0
        self._target: Any = None
        FORMS[case.node.op](self)

    def result(self) -> NDArray[Any]:
        """What the instructions have made, as the node makes it."""
        address, stride, count, columns = self._target
        found = self._matrix(address, stride, count, columns, self.case.made.dtype).copy()
        if self.case.node.op == "nearest":  # a store repeats rows of labels, and cuts off the padding
            patch, height, width = self.values("patch", "height", "width")
            found = found.repeat(patch, axis=0)[:height, :width]
        if self.case.node.op == "mix":  # heads stand beside each other
            (heads,) = self.values("heads")
            found = found.reshape(heads, -1, columns).transpose(1, 0, 2)
        return found.reshape(self.case.made.shape)

    def values(self, *keys: str) -> list[Any]:
        return [self.case.node.attributes[key] for key in keys]

    def write(self, space: Space, address: int, data: bytes) -> None:
        self.memories.view(space, address, (len(data),), (), np.uint8)[:] = np.frombuffer(data, np.uint8)

    def _matrix(self, address: int, stride: int, rows: int, columns: int, dtype: Any) -> Any:
        return self.memories.view(Space.SCRATCHPAD, address, (rows, columns), (stride,), dtype)

    def put(self, array: Any) -> tuple[int, int, int, int]:
        """Address, stride, rows and row length of an array of any rank, in banks of its own."""
        rows = array.reshape(-1, array.shape[-1])
        address, stride = self._banks(len(rows), rows.shape[1] * array.itemsize)
        count, columns = rows.shape
        self._matrix(address, stride, count, columns, array.dtype)[:] = rows
        return address, stride, count, columns

    def target(self, rows: int, columns: int) -> tuple[int, int]:
        """Address and stride of the result."""
        address, stride = self._banks(rows, columns * np.dtype(self.case.made.dtype).itemsize)
        self._target = address, stride, rows, columns
        return address, stride

    def _banks(self, rows: int, size: int) -> tuple[int, int]:
        stride, bank = -(-size // 16) * 16, self.machine.bank_bytes
        address, self._free = self._free, self._free + -(-rows * stride // bank) * bank
        assert self._free <= self.machine.scratchpad_bytes
        return address, stride


def shiftmax(form: Form) -> None:
    source, stride, rows, length = form.put(form.case.inputs[0])
    i0, n, reciprocal_bits, bits = form.values("i0", "n", "reciprocal_bits", "out_bits")
    form.write(Space.PARAMETERS, 0, struct.pack("<IBB", i0, n, reciprocal_bits))
    target, pitch = form.target(rows, length)
    form.instructions.append(Shiftmax(source, target, rows, length, stride, pitch, 0, bits == 8))


def layernorm(form: Form) -> None:
    source, stride, rows, length = form.put(form.case.inputs[0])
    c, bits = form.values("c", "out_bits")
    form.write(Space.PARAMETERS, 0, struct.pack("<xxxxB", c))
    pairs = zip(*(form.case.constants[role].tolist() for role in ("b", "B")), strict=True)
    form.write(Space.CONSTANTS, 0, b"".join(struct.pack("<iq", *pair) for pair in pairs))
    target, pitch = form.target(rows, length)
    form.instructions.append(Layernorm(source, 0, target, rows, length, stride, pitch, 0, bits == 16))


def gelu(form: Form) -> None:
    source, stride, rows, length = form.put(form.case.inputs[0])
    b, c, kind, i0 = form.values("b", "c", "form", "i0")
    form.write(Space.PARAMETERS, 0, struct.pack("<iBBxxI", b, c, list(GELU_FORMS).index(kind), i0))
    target, pitch = form.target(rows, length)
    form.instructions.append(Gelu(source, target, rows, length, stride, pitch, 0))


def residual(form: Form) -> None:
    operands = [*form.case.inputs, *form.case.constants.values()]
    (x, stride, rows, length), (identity, other, *_) = (form.put(array) for array in operands)
    form.write(Space.PARAMETERS, 0, struct.pack("<iBxxxiB", *form.values("b1", "c1", "b2", "c2")))
    target, pitch = form.target(rows, length)
    form.instructions.append(Residual(x, identity, target, rows, length, stride, other, pitch, 0))


def pixels(form: Form) -> None:
    """The bytes in the order of the patches, as LOAD brings them."""
    (image,), (patch,) = form.case.inputs, form.values("patch")
    height, width, _ = image.shape
    tiles = image.reshape(height // patch, patch, width // patch, patch, 3).swapaxes(1, 2)
    source, stride, rows, length = form.put(tiles.reshape(-1, patch * patch * 3))
    form.write(Space.TABLE, 0, form.case.constants["table"].tobytes())
    target, pitch = form.target(rows, length)
    form.instructions.append(Lookup(source, target, rows, length, stride, pitch))


def table(form: Form) -> None:
    """All channels have the same table."""
    source, stride, rows, length = form.put(form.case.inputs[0])
    form.write(Space.TABLE, 0, np.tile(form.case.constants["table"], 3).tobytes())
    target, pitch = form.target(rows, length)
    form.instructions.append(Lookup(source, target, rows, length, stride, pitch))


def argmax(form: Form) -> None:
    source, stride, rows, length = form.put(form.case.inputs[0])
    target, _ = form.target(1, rows)
    form.instructions.append(Argmax(source, target, rows, length, stride, form.case.made.dtype == "uint16"))


def nearest(form: Form) -> None:
    """One row of labels for all rows of a patch."""
    source, stride, rows, length = form.put(form.case.inputs[0])
    (patch,), wide = form.values("patch"), form.case.made.dtype == "uint16"
    target, pitch = form.target(rows, length * patch)
    form.instructions.append(Expand(source, target, rows, length, stride, pitch, patch, wide))


def product(form: Form, x: Any, y: Any, layout: Layout) -> None:
    """x times y of the scratchpad, one pair after another, requantized by the scalars of the node."""
    b, c, bits = form.values("b", "c", "out_bits")
    form.write(Space.PARAMETERS, 0, struct.pack("<iB", b, c))
    (pairs, m, k), (_, *shape) = x.shape, y.shape
    n = shape[0 if layout is Layout.LANE_MAJOR else 1]
    (at_x, stride_x, *_), (at_y, stride_y, *_) = form.put(x), form.put(y)
    target, pitch = form.target(pairs * m, n)
    x16, out16 = x.dtype == np.int16, bits == 16
    for i in range(pairs):
        places = at_x + i * m * stride_x, at_y + i * shape[0] * stride_y, target + i * m * pitch
        strides = stride_x, stride_y, pitch
        form.instructions.append(Matmul(*places, m, k, n, *strides, layout, x16, out16, 0))


def matmul(form: Form) -> None:
    x, y = form.case.inputs
    product(form, x[np.newaxis], y[np.newaxis], Layout.LANE_MAJOR)


def scores(form: Form) -> None:
    """A product for every head."""
    q, k, _ = split(form.case.inputs[0], *form.values("heads"))
    product(form, q, k, Layout.LANE_MAJOR)


def mix(form: Form) -> None:
    """A product for every head."""
    probabilities, qkv = form.case.inputs
    _, _, v = split(qkv, *form.values("heads"))
    product(form, probabilities, v, Layout.DEPTH_MAJOR)


def mean(form: Form) -> None:
    """A row of ones times the rows."""
    start, stop = form.values("start", "stop")
    ones = np.ones((1, 1, stop - start), np.int8)
    product(form, ones, form.case.inputs[0][np.newaxis, start:stop], Layout.DEPTH_MAJOR)


def linear(form: Form) -> None:
    """With the weight packed: tiles of outputs, each with its channels' constants before it."""
    constants, lanes, depth = form.case.constants, form.machine.lanes, form.machine.depth
    (n, k), packed = constants["weight"].shape, b""
    bias = constants.get("bias", np.zeros(n, np.int32))
    weight = np.zeros((-(-n // lanes) * lanes, -(-k // depth) * depth), np.int8)
    weight[:n, :k] = constants["weight"]
    for first in range(0, n, lanes):
        for i in range(first, first + lanes):
            entry = [int(array[i]) for array in (bias, constants["b"], constants["c"])] if i < n else None
            packed += struct.pack("<iiBxxx", *entry) if entry else bytes(12)
        for column in range(0, weight.shape[1], depth):
            packed += weight[first : first + lanes, column : column + depth].tobytes()
    form.write(Space.STATIONARY, 0, packed)
    source, stride, m, _ = form.put(form.case.inputs[0])
    bits = form.case.node.integer("out_bits")
    target, pitch = form.target(m, n)
    form.instructions.append(
        Matmul(source, 0, target, m, k, n, stride, 0, pitch, Layout.PACKED, False, bits == 16)
    )


FORMS: dict[str, Callable[[Form], None]] = {
    function.__name__: function
    for function in (
        shiftmax, layernorm, gelu, residual, pixels, table, argmax, nearest,
        linear, matmul, mean, scores, mix,
    )
}  # fmt: skip
"""By the name of the operator."""
MOVES = {"prepend", "append", "rows"}
"""Where rows stand, and nothing else: no instruction."""


def possible(case: Case) -> bool:
    """Whether instructions alone make it: 16-bit labels want a factor of 2 or more, pictures no padding."""
    patch = int(case.node.attributes.get("patch", 1))
    if case.node.op == "pixels":
        height, width, _ = case.inputs[0].shape
        return height % patch == width % patch == 0
    return case.made.dtype != "uint16" or case.node.op != "nearest" or patch > 1
