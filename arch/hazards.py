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

from intarsia.arch.access import Access, bank_mask
from intarsia.arch.history import SPILLED, histories
from intarsia.arch.isa import UNIT, Instruction, Space, Unit, Wait
from intarsia.arch.legal import InstructionError, check_instruction, check_overlaps
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Segment
from intarsia.arch.timing import ProgramError, Timeline, simulate_program
from intarsia.arch.touched import touched

__all__ = ["ProgramError", "check_program", "check_waits"]

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

    - every WAIT is met, and no instruction stops the machine by itself (`arch.legal`);
    - nothing is written over what the same instruction reads or writes;
    - LOADs read DRAM inside regions, STOREs stay inside those of activations and outputs;
    - no two units hold the same port of a bank together;
    - every byte that is read was written before, and nothing is overwritten while it is read or written,
      by granules of 16 bytes: in the on-chip memories and in what the program keeps in DRAM.
    """
    timeline = timeline or simulate_program(program)
    steps = [_steps(program, segment) for segment in program.segments]
    _check_times(program, timeline, steps)


def check_waits(program: Program) -> None:
    """`check_program` with other memories and row units (OTHER_TIMINGS): no wait is missing that the
    durations of this machine happen to make up for. A memory that stalls cannot break such a program."""
    for changes in OTHER_TIMINGS:
        check_program(replace(program, machine=replace(program.machine, **changes)))


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
    regions = _merged(program)
    found = []
    for unit, queue in zip(Unit, segment.queues, strict=True):
        steps = []
        for place, instruction in enumerate(queue):
            if isinstance(instruction, Wait):
                continue
            name = type(instruction).__name__.lower()
            where = f"segment {segment.name}, {unit.name.lower()} {place} ({name})"
            based = getattr(instruction, "based", False)
            try:
                if UNIT[type(instruction)] is not unit:
                    raise ProgramError("no instruction of this unit")
                iterations = range(segment.repeat if based else 1)
                for base in (segment.base, segment.base + iterations[-1] * segment.base_step):
                    check_instruction(instruction, machine, program.dram_bytes, base)
                check_overlaps(instruction, machine)
                accesses = tuple(touched(instruction, machine, segment.base))
                for access in (one for one in accesses if one.space is Space.DRAM):
                    for iteration in iterations:
                        _check_region(program, regions, access.moved(iteration * segment.base_step))
            except (InstructionError, ProgramError) as error:
                raise ProgramError(f"{where}: {error}") from None
            reads, writes = (_ports(machine, accesses, write=write) for write in (False, True))
            steps.append(_Step(where, instruction, accesses, reads, writes, based))
        found.append(tuple(steps))
    return tuple(found)


def _check_region(program: Program, regions: list[tuple[int, int]], access: Access) -> None:
    """What is read in DRAM is in regions, what is written in one that the program writes; `regions`: first
    byte and end of all of them, those that touch as one."""
    where = f"dram {access.low:#x}..{access.high:#x}"
    if not access.write:
        starts = np.array([access.low]) if _is_whole(access) else access.starts()
        size = access.high - access.low if _is_whole(access) else access.size
        firsts, ends = np.array(regions, np.int64).reshape(-1, 2).T
        place = np.searchsorted(firsts, starts, side="right") - 1
        if (place < 0).any() or (starts + size > ends[place]).any():
            raise ProgramError(f"{where} must be all inside regions that hold something, not outside")
    elif not any(
        region.kind in SPILLED
        and region.address <= access.low
        and access.high <= region.address + region.size
        for region in program.regions
    ):
        raise ProgramError(f"{where} is no region of {' or '.join(SPILLED)}")


def _is_whole(access: Access) -> bool:
    """Whether its pieces have no gaps."""
    return access.count2 == 1 and (access.count1 == 1 or access.stride1 == access.size)


def _merged(program: Program) -> list[tuple[int, int]]:
    """First byte and end of all regions, in order, those that touch as one."""
    found: list[tuple[int, int]] = []
    for region in sorted(program.regions, key=lambda region: region.address):
        first, end = region.address, region.address + region.size
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif region.size:
            found.append((first, end))
    return found


def _ports(machine: Machine, accesses: tuple[Access, ...], *, write: bool) -> int:
    """Banks whose read or write port is held."""
    held = 0
    for access in accesses:
        if access.write == write:
            held |= bank_mask(access, machine)
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
        accesses = step.touched
        if step.based and offset:
            accesses = tuple(a.moved(offset) if a.space is Space.DRAM else a for a in accesses)
        for access in accesses:
            if found := memories[access.space].find(access, start):
                address, text = found
                raise step.error(iteration, f"{access.space.name.lower()} {address:#x} {text}")
        for access in accesses:
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
