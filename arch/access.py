"""Which bytes every instruction reads and writes (docs/machine.md, sections 2 and 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.duration import ceil_div
from intarsia.arch.isa import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Wait,
)
from intarsia.arch.machine import ENTRY_BYTES, PARAMETER_BYTES, PARAMETERS_BYTES, TABLE_BYTES, Machine


@dataclass(frozen=True, slots=True)
class Access:
    """count2 x count1 pieces of `size` bytes; i2, i1 begins at address + i1*stride1 + i2*stride2."""

    space: Space
    write: bool
    address: int
    size: int
    count1: int = 1
    stride1: int = 0
    count2: int = 1
    stride2: int = 0

    @property
    def low(self) -> int:
        """First byte."""
        return self.address

    @property
    def high(self) -> int:
        """Behind the last byte."""
        last = (self.count1 - 1) * self.stride1 + (self.count2 - 1) * self.stride2
        return self.address + last + self.size

    @property
    def bytes(self) -> int:
        """Bytes moved; those of pieces that overlap count each time."""
        return self.size * self.count1 * self.count2

    def starts(self) -> NDArray[np.int64]:
        """Addresses of the pieces, [count2 * count1]."""
        outer = np.arange(self.count2)[:, None] * self.stride2
        return (self.address + outer + np.arange(self.count1) * self.stride1).reshape(-1)

    def moved(self, offset: int) -> Access:
        """The same, `offset` bytes further."""
        return replace(self, address=self.address + offset)


def space_bytes(space: Space, machine: Machine, dram_bytes: int) -> int:
    """Size of a memory."""
    return {
        Space.DRAM: dram_bytes,
        Space.SCRATCHPAD: machine.scratchpad_bytes,
        Space.STATIONARY: machine.stationary_bytes,
        Space.PARAMETERS: PARAMETERS_BYTES,
        Space.CONSTANTS: machine.constants_bytes,
        Space.TABLE: TABLE_BYTES,
    }[space]


def bank_mask(access: Access, machine: Machine) -> int:
    """The banks of the scratchpad that an access touches, as bits; gaps between rows touch none."""
    if access.space is not Space.SCRATCHPAD:
        return 0
    size = machine.bank_bytes
    if max(access.stride1, access.stride2) <= size:
        # No stride leaps over a bank.
        first, last = access.low // size, (access.high - 1) // size
        return (1 << last + 1) - (1 << first)
    starts = access.starts()
    firsts, lasts = starts // size, (starts + access.size - 1) // size
    mask = 0
    for first, last in set(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        mask |= (1 << last + 1) - (1 << first)
    return mask


def packed_bytes(instruction: Matmul, machine: Machine) -> int:
    """Size of a packed y: per L outputs their constants, then whole tiles."""
    depth = ceil_div(instruction.k, machine.depth) * machine.depth
    return ceil_div(instruction.n, machine.lanes) * machine.lanes * (ENTRY_BYTES + depth)


def accesses(instruction: Instruction, machine: Machine, base: int = 0) -> tuple[Access, ...]:
    """Everything that an instruction reads and writes; `base`: the DRAM base register."""
    return tuple(_accesses(instruction, machine, base))


def _accesses(instruction: Instruction, machine: Machine, base: int) -> Iterator[Access]:
    match instruction:
        case Wait():
            return
        case Load() | Store():
            load = isinstance(instruction, Load)
            dram = instruction.dram + (base if instruction.based else 0)
            space = instruction.space if isinstance(instruction, Load) else Space.SCRATCHPAD
            size, count1, count2 = instruction.size, instruction.count1, instruction.count2
            yield Access(
                Space.DRAM, not load, dram, size,
                count1, instruction.dram_stride1, count2, instruction.dram_stride2,
            )  # fmt: skip
            yield Access(
                space, load, instruction.address, size,
                count1, instruction.stride1, count2, instruction.stride2,
            )  # fmt: skip
        case Matmul():
            yield from _matmul(instruction, machine)
        case Shiftmax(rows=rows, length=length):
            yield _read(instruction.source, length, rows, instruction.source_stride)
            yield _parameter(instruction.param)
            width = 1 if instruction.out8 else 2
            yield _write(instruction.target, length * width, rows, instruction.target_stride)
        case Layernorm(rows=rows, length=length):
            yield _read(instruction.source, 2 * length, rows, instruction.source_stride)
            slot = instruction.slot * machine.slot_bytes
            yield Access(Space.CONSTANTS, False, slot, length * ENTRY_BYTES)
            yield _parameter(instruction.param)
            width = 2 if instruction.out16 else 1
            yield _write(instruction.target, length * width, rows, instruction.target_stride)
        case Gelu(rows=rows, length=length):
            yield _read(instruction.source, length, rows, instruction.source_stride)
            yield _parameter(instruction.param)
            yield _write(instruction.target, length, rows, instruction.target_stride)
        case Residual(rows=rows, length=length):
            yield _read(instruction.x, 2 * length, rows, instruction.x_stride)
            yield _read(instruction.identity, 2 * length, rows, instruction.identity_stride)
            yield _parameter(instruction.param)
            yield _write(instruction.target, 2 * length, rows, instruction.target_stride)
        case Lookup(rows=rows, length=length):
            yield _read(instruction.source, length, rows, instruction.source_stride)
            yield Access(Space.TABLE, False, 0, TABLE_BYTES)
            yield _write(instruction.target, length, rows, instruction.target_stride)
        case Argmax(rows=rows, length=length):
            yield _read(instruction.source, 2 * length, rows, instruction.source_stride)
            yield _write(instruction.target, rows * (2 if instruction.wide else 1), 1, 0)
        case Expand(rows=rows, length=length):
            width = 2 if instruction.wide else 1
            yield _read(instruction.source, length * width, rows, instruction.source_stride)
            wide = length * instruction.factor * width
            yield _write(instruction.target, wide, rows, instruction.target_stride)


def _matmul(instruction: Matmul, machine: Machine) -> Iterator[Access]:
    m, k, n = instruction.m, instruction.k, instruction.n
    yield _read(instruction.x, k * (2 if instruction.x16 else 1), m, instruction.x_stride)
    match instruction.layout:
        case Layout.PACKED:
            yield Access(Space.STATIONARY, False, instruction.y, packed_bytes(instruction, machine))
        case Layout.LANE_MAJOR:
            yield _read(instruction.y, k, n, instruction.y_stride)
            yield _parameter(instruction.param)
        case Layout.DEPTH_MAJOR:
            yield _read(instruction.y, n, k, instruction.y_stride)
            yield _parameter(instruction.param)
    yield _write(instruction.out, n * (2 if instruction.out16 else 1), m, instruction.out_stride)


def _read(address: int, size: int, rows: int, stride: int) -> Access:
    return Access(Space.SCRATCHPAD, False, address, size, rows, stride)


def _write(address: int, size: int, rows: int, stride: int) -> Access:
    return Access(Space.SCRATCHPAD, True, address, size, rows, stride)


def _parameter(index: int) -> Access:
    return Access(Space.PARAMETERS, False, index * PARAMETER_BYTES, PARAMETER_BYTES)
