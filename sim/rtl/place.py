"""Instructions by their number among all that a unit completes, and in words."""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.arch.isa import Unit, Wait, disassemble
from intarsia.arch.program import Program


@dataclass(frozen=True)
class Place:
    """An instruction of a program: `index` counts waits, as the machine's error registers do."""

    program: Program
    segment: int
    unit: Unit
    iteration: int
    index: int

    def __str__(self) -> str:
        """For people: `segment encoder, iteration 3, array instruction 17 (matmul ...)`."""
        if self.segment >= len(self.program.segments):
            return f"segment {self.segment}, of which there is none"
        segment = self.program.segments[self.segment]
        queue = segment.queues[self.unit]
        text = disassemble(queue[self.index : self.index + 1]).strip() or "none"
        where = f"segment {segment.name}, iteration {self.iteration}"
        return f"{where}, {self.unit.name.lower()} instruction {self.index} ({text})"


def place_of(program: Program, unit: Unit, number: int) -> Place:
    """Of the `number`-th instruction that is no wait of a unit, over all segments and iterations."""
    for index, segment in enumerate(program.segments):
        real = [k for k, op in enumerate(segment.queues[unit]) if not isinstance(op, Wait)]
        if number < len(real) * segment.repeat:
            iteration, place = divmod(number, len(real))
            return Place(program, index, unit, iteration, real[place])
        number -= len(real) * segment.repeat
    raise IndexError(f"{unit.name} has no such instruction")


def number_of(place: Place) -> int:
    """The number among all instructions, waits left out, that the unit completes: `place_of` backwards."""
    queues = [segment.queues[place.unit] for segment in place.program.segments]
    real = [sum(not isinstance(op, Wait) for op in queue) for queue in queues]
    before = sum(
        count * segment.repeat
        for count, segment in zip(real, place.program.segments[: place.segment], strict=False)
    )
    inside = sum(not isinstance(op, Wait) for op in queues[place.segment][: place.index])
    return before + place.iteration * real[place.segment] + inside
