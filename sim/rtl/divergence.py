"""Where the RTL's times of instructions first leave the emulator's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from intarsia.arch.isa import Unit
from intarsia.arch.program import Program
from intarsia.arch.timing import Cycles, Timeline
from intarsia.sim.rtl.place import Place, place_of


@dataclass(frozen=True)
class Divergence:
    """An instruction that did not start or end in its cycle; None: it never should, or never did."""

    place: Place | None
    unit: Unit
    event: Literal["end", "start"]
    expected: int | None
    seen: int | None

    @property
    def cycle(self) -> int:
        """The earlier of the two."""
        return min(cycle for cycle in (self.expected, self.seen) if cycle is not None)

    def __str__(self) -> str:
        if self.place is None:
            return f"cycle {self.seen}: {self.unit.name.lower()}: {self.event} of an instruction too many"
        seen = "missing" if self.seen is None else f"in {self.seen}"
        return f"{self.event} must be in cycle {self.expected}, not {seen}: {self.place}"


def first_divergence(
    program: Program, timeline: Timeline, starts: tuple[Cycles, ...], ends: tuple[Cycles, ...]
) -> Divergence | None:
    """The earliest difference; of those in one cycle an end before a start, which may follow from it."""
    found = []
    for line in timeline.units:
        for event, wanted, seen in (
            ("end", line.end, ends[line.unit]),
            ("start", line.start, starts[line.unit]),
        ):
            common = min(len(wanted), len(seen))
            differs = np.flatnonzero(wanted[:common] != seen[:common])
            number = int(differs[0]) if len(differs) else common
            if number < max(len(wanted), len(seen)):
                place = place_of(program, line.unit, number) if number < len(wanted) else None
                cycles = (int(times[number]) if number < len(times) else None for times in (wanted, seen))
                found.append(Divergence(place, line.unit, event, *cycles))  # type: ignore[arg-type]
    return min(found, key=lambda one: (one.cycle, one.event), default=None)
