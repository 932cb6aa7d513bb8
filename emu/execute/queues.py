"""The order in which a program runs: queues, waits, iterations, the barrier between segments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import UNIT, Instruction, Space, Unit, Wait
from intarsia.arch.legal import (
    FIELD,
    UNKNOWN,
    WATCHDOG,
    InstructionError,
    check_instruction,
    check_overlaps,
)
from intarsia.arch.program import Probe, Program, Segment
from intarsia.emu.execute.compute import compute
from intarsia.emu.execute.memory import MachineError, Memories
from intarsia.model.errors import InputError

OnProbe = Callable[[str, int | None, int, int, NDArray[Any]], None]
"""Called with tensor, head, row, column and a copy of the values [rows, columns]."""


def execute(
    program: Program,
    dram: NDArray[np.uint8],
    *,
    on_probe: OnProbe | None = None,
    order: Sequence[Unit] = tuple(Unit),
) -> NDArray[np.uint8]:
    """Run a program from the DRAM contents `dram` [program.dram_bytes]; returns those at its end.

    The first unit of `order` that can go on does so until a wait holds it; the result of a program that
    waits wherever it must is the same in every order. `on_probe` is called wherever the program says what
    memory holds.

    Raises MachineError where the machine would stop, ProgramError at an instruction whose result is
    undefined, InputError for a `dram` of another size.
    """
    return run(program, dram, on_probe=on_probe, order=order).spaces[Space.DRAM]


def run(
    program: Program,
    dram: NDArray[np.uint8],
    *,
    on_probe: OnProbe | None = None,
    order: Sequence[Unit] = tuple(Unit),
) -> Memories:
    """As `execute`; all memories at its end."""
    if dram.shape != (program.dram_bytes,) or dram.dtype != np.uint8:
        found = f"{dram.dtype} {list(dram.shape)}"
        raise InputError(f"DRAM contents must be uint8 [{program.dram_bytes}], not {found}")
    if sorted(order) != list(Unit):
        raise InputError(f"order must be every unit once, not {list(order)}")
    memories = Memories(program.machine, np.array(dram, order="C"))
    for number, segment in enumerate(program.segments):
        _Run(memories, number, segment, on_probe).run(order)
    return memories


class _Queue:
    """Where a unit is in its instruction list."""

    def __init__(self, unit: Unit, instructions: tuple[Instruction, ...]) -> None:
        self.unit, self.instructions = unit, instructions
        self.total = sum(not isinstance(op, Wait) for op in instructions)
        self.position = self.iteration = self.completed = 0


class _Run:
    """One segment on its way."""

    def __init__(self, memories: Memories, number: int, segment: Segment, on_probe: OnProbe | None) -> None:
        self.memories, self.number, self.segment, self.on_probe = memories, number, segment, on_probe
        self.queues = [_Queue(unit, queue) for unit, queue in zip(Unit, segment.queues, strict=True)]
        self.probes: dict[tuple[Unit, int], list[Probe]] = defaultdict(list)
        for probe in segment.probes:
            self.probes[probe.unit, probe.index].append(probe)

    def run(self, order: Sequence[Unit]) -> None:
        while any(self.advance(self.queues[unit]) for unit in order):
            pass
        if blocked := [queue for queue in self.queues if self.unfinished(queue)]:
            what = "; ".join(self.blocked(queue) for queue in blocked)
            sentence = f"no unit can go on in segment {self.segment.name}: {what}"
            first = blocked[0]
            raise MachineError(WATCHDOG, first.unit, first.position, sentence, self.number, first.iteration)

    def unfinished(self, queue: _Queue) -> bool:
        return bool(queue.instructions) and queue.iteration < self.segment.repeat

    def advance(self, queue: _Queue) -> bool:
        """Go on as far as the waits allow; whether that was anywhere."""
        before = queue.iteration, queue.position
        while self.unfinished(queue):
            op = queue.instructions[queue.position]
            if not isinstance(op, Wait):
                self.step(queue, op)
            elif self.never(queue, op):
                raise self.error(queue, FIELD, self.never(queue, op))
            elif self.wanted(queue, op) > self.queues[op.unit].completed:
                break
            queue.position += 1
            if queue.position == len(queue.instructions):
                queue.iteration, queue.position = queue.iteration + 1, 0
        return (queue.iteration, queue.position) != before

    def step(self, queue: _Queue, op: Any) -> None:
        """Carry out one instruction, then look at what memory holds where the program says so."""
        try:
            if UNIT.get(type(op)) is not queue.unit:
                raise InstructionError(UNKNOWN, f"{type(op).__name__} is no instruction of this unit")
            machine, dram = self.memories.machine, self.memories.spaces[Space.DRAM]
            base = self.segment.base + queue.iteration * self.segment.base_step
            check_instruction(op, machine, dram.size, base)
            check_overlaps(op, machine)
            compute(self.memories, op, base)
        except InstructionError as error:
            raise self.error(queue, error.code, str(error)) from None
        if self.on_probe:
            for probe in self.probes.get((queue.unit, queue.completed % queue.total), ()):
                tensor = self.segment.name_of(probe.tensor, queue.iteration)
                _report(self.memories, probe, tensor, self.on_probe)
        queue.completed += 1

    def error(self, queue: _Queue, code: int, sentence: str) -> MachineError:
        """Of the instruction at which a queue is."""
        where = f"segment {self.segment.name}, iteration {queue.iteration}"
        return MachineError(
            code, queue.unit, queue.position, f"{sentence} ({where})", self.number, queue.iteration
        )

    def never(self, queue: _Queue, wait: Wait) -> str:
        """What a count that is not reached in the last iteration wants, else nothing."""
        total = self.queues[wait.unit].total
        if wait.count <= total:
            return ""
        whose = f"the instructions of {Unit(wait.unit).name.lower()}"
        return f"count must be at most {total}, {whose}, not {wait.count}"

    def wanted(self, queue: _Queue, wait: Wait) -> int:
        """How many instructions the awaited unit must have completed."""
        return queue.iteration * self.queues[wait.unit].total + wait.count

    def blocked(self, queue: _Queue) -> str:
        wait = queue.instructions[queue.position]
        assert isinstance(wait, Wait)
        where = f"{queue.unit.name.lower()} (instruction {queue.position}, iteration {queue.iteration})"
        awaited, seen = Unit(wait.unit).name.lower(), self.queues[wait.unit].completed
        return f"{where} waits for {awaited} to complete {self.wanted(queue, wait)}, not {seen}"


def _report(memories: Memories, probe: Probe, tensor: str, on_probe: OnProbe) -> None:
    shape, strides = (probe.rows, probe.columns), (probe.stride,)
    values = memories.view(Space.SCRATCHPAD, probe.address, shape, strides, probe.dtype)
    on_probe(tensor, probe.head, probe.row, probe.column, values.copy())
