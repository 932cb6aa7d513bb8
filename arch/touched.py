"""What the hazard checker believes that instructions touch, from its own reading of docs/machine.md.

`arch.access` derives the same from what instructions declare, and the compiler waits for what that says.
A checker that read the same declarations would miss what is wrong in them, so here every instruction is
written down a second time, by hand; a test holds both views against each other.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from intarsia.arch.isa.access import Access
from intarsia.arch.machine import ENTRY_BYTES, PARAMETER_BYTES, TABLE_BYTES, Machine


def touched(instruction: Instruction, machine: Machine, base: int = 0) -> Iterator[Access]:
    """Everything that an instruction reads and writes; `base`: the DRAM base register."""
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
        case _:
            raise TypeError(f"{instruction} is unknown here; what it touches must be written down")


def _matmul(instruction: Matmul, machine: Machine) -> Iterator[Access]:
    m, k, n = instruction.m, instruction.k, instruction.n
    yield _read(instruction.x, k * (2 if instruction.x16 else 1), m, instruction.x_stride)
    match instruction.layout:
        case Layout.PACKED:
            yield Access(Space.STATIONARY, False, instruction.y, _packed_bytes(instruction, machine))
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


def _packed_bytes(instruction: Matmul, machine: Machine) -> int:
    """Size of a packed y: per L outputs their constants, then whole tiles."""
    depth = -(-instruction.k // machine.depth) * machine.depth
    return -(-instruction.n // machine.lanes) * machine.lanes * (ENTRY_BYTES + depth)
