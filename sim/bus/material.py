"""Programs, what they leave in DRAM, and where their instructions stand, as cases are made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import INSTRUCTION_BYTES, Instruction, Layernorm, Load, Space, Store, Unit, encode
from intarsia.arch.machine import CONSTANT_SLOTS, ENTRY_BYTES, PARAMETER_BYTES, Machine
from intarsia.arch.program import Program, Segment
from intarsia.arch.random_program import random_program
from intarsia.arch.timing import simulate_program
from intarsia.emu.execute import MachineError, execute
from intarsia.hw.interfaces.axi import bus_width
from intarsia.hw.sequencer.control import FETCH, PROGRAM_STRIDE, PROGRAMS, SEGMENTS, START
from intarsia.sim.bus.case import Run, Stop, Writes
from intarsia.sim.bus.design import DEPTH
from intarsia.sim.rtl.job import Job, job, memory_writes, table_writes


@dataclass(frozen=True)
class Place:
    """An instruction: of a program, with waits, by its queue."""

    segment: int
    unit: Unit
    index: int


@dataclass(frozen=True)
class Material:
    """A program that is right, and the DRAM that it starts with."""

    program: Program
    dram: NDArray[np.uint8]

    @cached_property
    def writes(self) -> Writes:
        """What loads it, by the host alone, the start not included."""
        segments = [self.program.segments[k] for k in self.numbers]
        return (*table_writes(segments), *memory_writes(segments))

    @cached_property
    def job(self) -> Job:
        """What loads it from DRAM."""
        return job(self.program, DEPTH, len(self.dram))

    @cached_property
    def with_code(self) -> bytes:
        """DRAM at first, the instructions behind it."""
        return self.dram.tobytes() + self.code

    @cached_property
    def code(self) -> bytes:
        """What stands behind DRAM's contents."""
        return bytes(self.job.code_at - len(self.dram)) + self.job.code

    def fetched(self, name: str, writes: Writes, stop: Stop | None = None, **changes: Any) -> Run:
        """One that fetches its instructions, and comes to its end or to an error while it does."""
        changes |= {"start": START | FETCH, "dram": self.with_code}
        if stop:
            return self.failing(name, writes, stop, **changes)
        return replace(self.run(name, writes), wanted=self.wanted + self.code, **changes)

    @cached_property
    def again(self) -> Writes:
        """What loads it after a reset: memories keep what they hold."""
        return ((SEGMENTS, len(self.numbers)),)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Of the segments in the machine's table."""
        return tuple(k for k, segment in enumerate(self.program.segments) if any(segment.queues))

    @cached_property
    def wanted(self) -> bytes:
        """DRAM at the end."""
        return execute(self.program, self.dram).tobytes()

    def run(self, name: str, writes: Writes, **changes: Any) -> Run:
        """One that must come to its end, with a memory that answers after a cycle or later."""
        quick = replace(self.program, machine=replace(self.program.machine, memory_latency=1))
        timeline = simulate_program(quick)
        busy = tuple(None if u.unit in (Unit.LOAD, Unit.STORE) else u.busy for u in timeline.units)
        dram = self.dram.tobytes()
        return Run(name, writes, dram, self.wanted, cycles=timeline.cycles, busy=busy, **changes)

    def failing(self, name: str, writes: Writes, stop: Stop, **changes: Any) -> Run:
        """One that must end with an error."""
        fixed = tuple((r.address, r.address + r.size) for r in self.program.regions if r.kind == "weights")
        return Run(
            name, writes, changes.pop("dram", self.dram.tobytes()), fixed=fixed, stop=stop, **changes
        )

    def places(self) -> Iterator[tuple[Place, Instruction]]:
        """Every instruction."""
        for number, segment in enumerate(self.program.segments):
            for unit, queue in zip(Unit, segment.queues, strict=True):
                for index, op in enumerate(queue):
                    yield Place(number, unit, index), op

    def words(self, place: Place, words: list[int]) -> Writes:
        """What puts these eight words there."""
        before = (self.program.segments[k].queues[place.unit] for k in range(place.segment))
        number = sum(map(len, before)) + place.index
        at = PROGRAMS + PROGRAM_STRIDE * place.unit + INSTRUCTION_BYTES * number
        return tuple((at + 4 * k, word) for k, word in enumerate(words))

    def changed(self, place: Place, op: Instruction) -> Material:
        """With another instruction there; what the program is worth then is for the emulator to say."""
        segments = list(self.program.segments)
        segments[place.segment] = _changed(segments[place.segment], place, op)
        return Material(replace(self.program, segments=tuple(segments)), self.dram)

    def stop(self, place: Place, iteration: int = 0) -> Stop:
        """Where the emulator stops, which is at `place`, or anywhere in its segment with the watchdog."""
        try:
            execute(self.program, self.dram)
        except MachineError as error:
            found = re.search(r"iteration (\d+)", str(error))
            assert found
            number = self.numbers.index(place.segment)
            return Stop(error.code, error.unit, number, int(found[1]), error.index)
        raise AssertionError(f"the emulator finds nothing wrong at {place}")


def encoded(op: Instruction) -> list[int]:
    """Eight words."""
    return np.frombuffer(encode(op), "<u4").tolist()


def _changed(segment: Segment, place: Place, op: Instruction) -> Segment:
    queues = [list(queue) for queue in segment.queues]
    queues[place.unit][place.index] = op
    return replace(segment, queues=tuple(map(tuple, queues)))


def random_material(machine: Machine, seed: int, *, instructions: int = 10, repeat: int = 3) -> Material:
    """A random program that loads no more constants than it uses."""
    program, dram = random_program(machine, seed, instructions=instructions, repeat=repeat, whole=True)
    ops = [op for segment in program.segments for queue in segment.queues for op in queue]
    words = 1 + max((getattr(op, "param", 0) for op in ops), default=0)
    channels = max((op.length for op in ops if isinstance(op, Layernorm)), default=1)
    queue = []
    for op in program.segments[0].queues[Unit.LOAD]:
        assert isinstance(op, Load)
        if op.space is Space.CONSTANTS:
            size, slot = channels * ENTRY_BYTES, machine.slot_bytes
            op = replace(op, size=size, count1=CONSTANT_SLOTS, dram_stride1=slot, stride1=slot)
        elif op.space is Space.PARAMETERS:
            op = replace(op, size=words * PARAMETER_BYTES)
        queue.append(op)
    fill = replace(program.segments[0], queues=(tuple(queue), *program.segments[0].queues[1:]))
    return Material(replace(program, segments=(fill, *program.segments[1:])), dram)


def touches(material: Material, unit: Unit) -> Iterator[tuple[Place, int, set[int]]]:
    """What LOAD or STORE does, one instruction after the other: its place, iteration, and words of DRAM."""
    width = bus_width(material.program.machine)
    for number, segment in enumerate(material.program.segments):
        for iteration in range(segment.repeat):
            base = segment.base + iteration * segment.base_step
            for index, op in enumerate(segment.queues[unit]):
                if isinstance(op, Load | Store):
                    yield Place(number, unit, index), iteration, _words(op, base, width)


def _words(op: Load | Store, base: int, width: int) -> set[int]:
    found = set[int]()
    for second in range(op.count2):
        for first in range(op.count1):
            at = op.dram + (base if op.based else 0) + first * op.dram_stride1 + second * op.dram_stride2
            found.update(range(at // width * width, at + op.size, width))
    return found
