"""What docs/machine.md, sections 3 and 8, say of queues, cycle by cycle, from the words of instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from intarsia.arch.isa import UNIT, Unit, Wait, decode
from intarsia.arch.isa.encoding import known_bits
from intarsia.arch.isa.registry import OPCODES
from intarsia.model.errors import InputError


def code_of(word: int, unit: Unit) -> int:
    """The error that an instruction is by itself, in the queue of this unit."""
    kind = OPCODES.get(word & 0xFF, (None, ()))[0]
    if kind is None or (kind is not Wait and UNIT[kind] != unit):
        return 1
    try:
        decode(word.to_bytes(32, "little"))
    except InputError:
        return 2
    return 0


def random_word(unit: Unit, rng: np.random.Generator) -> int:
    """A legal instruction that is no WAIT: every field as low, as high or as random as it may be."""
    opcodes = [opcode for opcode, (kind, _) in OPCODES.items() if kind is not Wait and UNIT[kind] == unit]
    opcode = int(rng.choice(opcodes))
    word = opcode | known_bits(opcode)[1]
    for f in OPCODES[opcode][1]:
        steps = (f.high - f.low) // f.scale
        value = f.low + f.scale * int(rng.choice([0, steps, int(rng.integers(steps + 1))]))
        word |= f.pack(f.type(value)) << 32 * f.word
    return word


@dataclass
class Descriptor:
    """A segment, as the table holds it."""

    base: int
    base_step: int
    repeat: int
    first: list[int]
    length: list[int]
    totals: list[int]

    def words(self) -> list[int]:
        """The table's words."""
        units = zip(self.first, self.length, self.totals, strict=True)
        return [self.base, self.base_step, self.repeat, *(word for unit in units for word in unit)]


@dataclass
class Cycle:
    """What a sequencer shows in a cycle. words, bases, places: of the units that hold an instruction;
    finished: it is the program's last, if nothing is wrong in it."""

    busy: int = 0
    waiting: int = 0
    start: int = 0
    words: dict[Unit, int] = field(default_factory=dict)
    bases: dict[Unit, int] = field(default_factory=dict)
    finished: int = 0
    error: tuple[int, ...] = (0,)


class Model:
    """Runs segments; `cycle` says what is shown, given the units that are in their last cycle."""

    def __init__(self, memories: list[list[int]], segments: list[Descriptor]) -> None:
        self.memories, self.segments = memories, segments
        self.segment = -1
        self.running = True
        self._next_segment()

    def _next_segment(self) -> None:
        self.segment += 1
        self.running = self.segment < len(self.segments)
        if self.running:
            self.one = self.segments[self.segment]
            self.held = [length != 0 for length in self.one.length]
            self.fresh = list(self.held)
            self.index, self.iteration, self.count = ([0] * len(Unit) for _ in range(3))

    def _word(self, unit: int) -> int:
        return self.memories[unit][self.one.first[unit] + self.index[unit]]

    def works(self, unit: int) -> bool:
        """Whether it holds an instruction that is no WAIT."""
        return self.held[unit] and self._word(unit) & 0xFF != 1

    def cycle(
        self, finishing: int, errors: Mapping[Unit, int] = MappingProxyType({}), expired: bool = False
    ) -> Cycle:
        """What is shown; then the next cycle. errors: of units, their codes;  expired: the watchdog's."""
        shown, done, one = Cycle(), [False] * len(Unit), self.one
        waits = [held and not self.works(unit) for unit, held in enumerate(self.held)]
        for unit in Unit:
            if self.works(unit):
                shown.busy |= 1 << unit
                shown.start |= (self.fresh[unit] and not code_of(self._word(unit), unit)) << unit
                shown.words[unit] = self._word(unit)
                shown.bases[unit] = (one.base + self.iteration[unit] * one.base_step) % 2**32
                done[unit] = bool(finishing >> unit & 1)
                self.count[unit] += done[unit]
        for unit in Unit:
            code = code_of(self._word(unit), unit) if self.fresh[unit] else 0
            legal = not code
            code = code or errors.get(unit, 0) or 6 * (expired and self.held[unit])
            if waits[unit]:
                shown.waiting |= 1 << unit
                awaited, n = self._word(unit) >> 32 & 0xFFFFFFFF, self._word(unit) >> 64 & 0xFFFFFFFF
                n -= n >> 31 << 32
                if awaited < len(Unit):
                    done[unit] = self.count[awaited] >= self.iteration[unit] * one.totals[awaited] + n
                    if legal and self.fresh[unit] and n > one.totals[awaited]:
                        code = 2
            if code and shown.error == (0,):
                shown.error = (code, unit, self.segment, self.iteration[unit], self.index[unit])
        ends = (not self.held[unit] or (done[unit] and self._is_last(unit)) for unit in Unit)
        shown.finished = int(all(ends) and self.segment == len(self.segments) - 1)
        if shown.error != (0,):
            self.running = False
            return shown
        for unit in Unit:
            self.fresh[unit] = done[unit]
            if done[unit]:
                self._advance(unit)
        if not any(self.held):
            self._next_segment()
        return shown

    def _is_last(self, unit: Unit) -> bool:
        """Whether it holds the last instruction of the last iteration."""
        return self.index[unit] + 1 == self.one.length[unit] and self.iteration[unit] + 1 == self.one.repeat

    def _advance(self, unit: Unit) -> None:
        self.index[unit] += 1
        if self.index[unit] == self.one.length[unit]:
            self.index[unit] = 0
            self.iteration[unit] += 1
            if self.iteration[unit] == self.one.repeat:
                self.held[unit] = self.fresh[unit] = False
