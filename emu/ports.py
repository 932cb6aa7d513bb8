"""Checks that a program cannot go wrong: addresses, ports, and the order of reads and writes.

The compiler is right by construction; this does not trust it. It simulates the program, takes the
instructions of all units by their time of start, and looks at every byte that they touch. An
instruction may read from its first cycle and write until its last, so two instructions that touch
the same bytes, one of them writing, must not overlap in time at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emu.access import Access, accesses, space_bytes
from emu.history import SPILLED, histories
from emu.isa import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Load,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Unit,
    Wait,
)
from emu.machine import Machine
from emu.program import Program, Segment
from emu.timing import ProgramError, Timeline, simulate_program

__all__ = ["ProgramError", "bank_mask", "check_program", "check_waits"]

ALIGNMENT = 16
"""Of matrices in the scratchpad; labels begin anywhere."""
OTHER_TIMINGS: tuple[dict[str, Any], ...] = (
    {"memory_latency": 1, "memory_width": 64},
    {"memory_latency": 3000},
    {"memory_width": 1},
    {"shiftmax_lanes": 1, "layernorm_lanes": 1, "gelu_lanes": 256, "elementwise_lanes": 256},
    {"shiftmax_lanes": 256, "layernorm_lanes": 256, "gelu_lanes": 1, "elementwise_lanes": 1},
)
"""Machines on which a program must be right as well: its waits say what has to wait, not its durations."""


def check_program(program: Program, timeline: Timeline | None = None) -> None:
    """Raises ProgramError, with the unit, its instruction and the address, unless

    - every WAIT is met, every address is inside its memory, STOREs stay inside regions of
      activations and labels, and M fits the accumulator;
    - no two units, nor two operands of one instruction, hold the same port of a bank together;
    - what is read was written before, and nothing is overwritten while it is read or written. This
      holds for the on-chip memories and for what the program keeps in DRAM, by granules of 16 bytes.
    """
    timeline = timeline or simulate_program(program)
    steps = [_steps(program, segment) for segment in program.segments]
    _check_times(program, timeline, steps)


def check_waits(program: Program) -> None:
    """`check_program` with other memories and row units (OTHER_TIMINGS): no wait is missing that the
    durations of this machine happen to make up for. A memory that stalls cannot break such a program."""
    for changes in OTHER_TIMINGS:
        check_program(replace(program, machine=replace(program.machine, **changes)))


def bank_mask(access: Access, machine: Machine) -> int:
    """The banks of the scratchpad that an access touches, as bits; row by row, gaps within rows none."""
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


@dataclass(frozen=True, slots=True)
class _Step:
    """An instruction, its place in its queue, what it touches and the ports that it holds."""

    where: str
    instruction: Instruction
    touched: tuple[Access, ...]
    reads: int
    writes: int
    based: bool

    def error(self, iteration: int, text: str) -> ProgramError:
        return ProgramError(f"{self.where}, iteration {iteration}: {text}")


def _steps(program: Program, segment: Segment) -> tuple[tuple[_Step, ...], ...]:
    """The instructions of a segment by unit, each checked by itself."""
    machine = program.machine
    last_base = segment.base + (segment.repeat - 1) * segment.base_step
    found = []
    for unit, queue in zip(Unit, segment.queues, strict=True):
        steps = []
        for place, instruction in enumerate(queue):
            if isinstance(instruction, Wait):
                continue
            name = type(instruction).__name__.lower()
            where = f"segment {segment.name}, {unit.name.lower()} {place} ({name})"
            touched = accesses(instruction, machine, segment.base)
            _check_bounds(program, where, touched)
            _check_bounds(program, where, accesses(instruction, machine, last_base))
            _check_fields(machine, where, instruction)
            reads = _read_ports(machine, where, instruction, touched)
            writes = 0
            for access in touched:
                if access.write:
                    writes |= bank_mask(access, machine)
            based = getattr(instruction, "based", False)
            steps.append(_Step(where, instruction, touched, reads, writes, based))
        found.append(tuple(steps))
    return tuple(found)


def _check_bounds(program: Program, where: str, touched: tuple[Access, ...]) -> None:
    for access in touched:
        size = space_bytes(access.space, program.machine, program.dram_bytes)
        space = access.space.name.lower()
        if min(access.size, access.count1, access.count2) < 1:
            raise ProgramError(f"{where}: an empty access to {space} {access.low:#x}, bytes are wanted")
        if access.low < 0 or access.high > size:
            raise ProgramError(
                f"{where}: {space} {access.low:#x}..{access.high:#x} is outside 0x0..{size:#x}"
            )
        if (
            access.space is Space.DRAM
            and access.write
            and not any(
                region.kind in SPILLED
                and region.address <= access.low
                and access.high <= region.address + region.size
                for region in program.regions
            )
        ):
            raise ProgramError(
                f"{where}: dram {access.low:#x}..{access.high:#x} is no region of {' or '.join(SPILLED)}"
            )


def _check_fields(machine: Machine, where: str, instruction: Instruction) -> None:
    for access in accesses(instruction, machine):
        label = isinstance(instruction, Argmax) and access.write
        label |= isinstance(instruction, Expand) and not access.write
        free = label or isinstance(instruction, Load | Store) or access.space is not Space.SCRATCHPAD
        if not free and (access.address % ALIGNMENT or access.stride1 % ALIGNMENT):
            raise ProgramError(
                f"{where}: a matrix at {access.address:#x} with stride {access.stride1},"
                f" multiples of {ALIGNMENT} are wanted"
            )
    if isinstance(instruction, Matmul) and instruction.m > machine.accumulator_rows:
        raise ProgramError(f"{where}: M is {instruction.m}, at most {machine.accumulator_rows} is wanted")
    if isinstance(instruction, Shiftmax | Gelu) and instruction.length > machine.row_length:
        raise ProgramError(
            f"{where}: a row has {instruction.length} elements, at most {machine.row_length} are wanted"
        )
    if isinstance(instruction, Shiftmax) and not instruction.out8:
        source, _, target = accesses(instruction, machine)
        if source.low < target.high and target.low < source.high:
            raise ProgramError(
                f"{where}: 16-bit outputs at {target.low:#x} overlap their source at {source.low:#x}"
            )


def _read_ports(machine: Machine, where: str, instruction: Instruction, touched: tuple[Access, ...]) -> int:
    """Banks whose read port is held; the operands of a product or a residual must differ in them."""
    held = 0
    for access in touched:
        mask = 0 if access.write else bank_mask(access, machine)
        if mask & held and isinstance(instruction, Matmul | Residual):
            raise ProgramError(
                f"{where}: its operands share {_banks(mask & held)}, the second is at {access.low:#x}"
            )
        held |= mask
    return held


def _check_times(program: Program, timeline: Timeline, steps: list[tuple[tuple[_Step, ...], ...]]) -> None:
    memories = histories(program)
    active: dict[Unit, tuple[int, _Step]] = {}
    for start, end, unit, iteration, offset, step in _by_start(program, timeline, steps):
        for other, (until, held) in active.items():
            if other is unit or until <= start:
                continue
            for port, mask in (("read", step.reads & held.reads), ("write", step.writes & held.writes)):
                if mask:
                    raise step.error(
                        iteration,
                        f"the {port} port of {_banks(mask)} is held by {held.where} in cycle {start}",
                    )
        active[unit] = (end, step)
        touched = step.touched
        if step.based and offset:
            touched = tuple(a.moved(offset) if a.space is Space.DRAM else a for a in touched)
        for access in touched:
            if found := memories[access.space].find(access, start):
                address, text = found
                raise step.error(iteration, f"{access.space.name.lower()} {address:#x} {text}")
        for access in touched:
            memories[access.space].mark(access, end)


def _by_start(
    program: Program, timeline: Timeline, steps: list[tuple[tuple[_Step, ...], ...]]
) -> Iterator[tuple[int, int, Unit, int, int, _Step]]:
    """(start, end, unit, iteration, growth of the base register, step) by time of start."""
    rows = []
    places = [0] * len(Unit)
    for number, (segment, found) in enumerate(zip(program.segments, steps, strict=True)):
        for unit in Unit:
            total = len(found[unit])
            count = total * segment.repeat
            part = slice(places[unit], places[unit] + count)
            places[unit] += count
            row = np.empty((count, 6), np.int64)
            row[:, 0], row[:, 1] = timeline.units[unit].start[part], timeline.units[unit].end[part]
            row[:, 2], row[:, 3] = unit, number
            if total:
                row[:, 4], row[:, 5] = np.divmod(np.arange(count), total)
            rows.append(row)
    events = np.concatenate(rows) if rows else np.empty((0, 6), np.int64)
    for i in np.argsort(events[:, 0], kind="stable"):
        start, end, kind, number, iteration, index = events[i].tolist()
        offset = iteration * program.segments[number].base_step
        yield start, end, Unit(kind), iteration, offset, steps[number][kind][index]


def _banks(mask: int) -> str:
    return f"bank {(mask & -mask).bit_length() - 1}"
