"""Every stretch of time in which a unit stood still, with what it waited for."""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.arch.duration import WAIT
from intarsia.arch.isa import Unit, Wait
from intarsia.arch.program import Program, Segment
from intarsia.arch.timeline import CAUSES, Timeline


@dataclass(frozen=True, slots=True)
class Pause:
    """Cycles start..end of a unit without an instruction.

    cause: one of `arch.timeline.CAUSES`, except "wait".  idle: whether the unit had no work, else it was in
    mid-work.  instruction: number, in the whole run, of the instruction of unit `cause` that it waited
    for, -1 at a barrier and once finished.  next: number of its own next instruction.
    """

    start: int
    end: int
    cause: str
    idle: bool
    instruction: int
    next: int

    @property
    def stalled(self) -> int:
        """Cycles that count for `cause`: a wait's own first cycle counts as "wait"."""
        return self.end - self.start - (WAIT if self.instruction >= 0 else 0)


def pauses_of(program: Program, timeline: Timeline) -> tuple[tuple[Pause, ...], ...]:
    """The pauses of every unit in order of time; `timeline` is the program's.

    A wait that was met when it came takes its own cycle and is no pause.
    """
    ends = [unit.end.tolist() for unit in timeline.units]
    found: list[list[Pause]] = [[] for _ in Unit]
    before = [0] * len(Unit)
    for number, segment in enumerate(program.segments):
        span = timeline.segments[number]
        last = number == len(program.segments) - 1
        totals = [len(labels) for labels in segment.labels]
        for unit in Unit:
            now = _walk(segment, unit, span.start, ends, before, totals, found[unit])
            if now < span.end:
                cause = "finished" if last else "barrier"
                done = before[unit] + totals[unit] * segment.repeat
                found[unit].append(Pause(now, span.end, cause, True, -1, done))
        before = [old + total * segment.repeat for old, total in zip(before, totals, strict=True)]
    return tuple(tuple(pauses) for pauses in found)


def _walk(
    segment: Segment,
    unit: Unit,
    now: int,
    ends: list[list[int]],
    before: list[int],
    totals: list[int],
    found: list[Pause],
) -> int:
    """One unit through all iterations of a segment; the cycle in which it is through."""
    total, mine, place = totals[unit], ends[unit], before[unit]
    for iteration in range(segment.repeat):
        first = place
        for one in segment.queues[unit]:
            if not isinstance(one, Wait):
                now = mine[place]
                place += 1
                continue
            start, now = now, now + WAIT
            index = iteration * totals[one.unit] + one.count - 1
            if index >= 0 and (met := ends[one.unit][before[one.unit] + index]) > now:
                now = met
                idle = place - first in (0, total)
                target = before[one.unit] + index
                found.append(Pause(start, now, CAUSES[one.unit], idle, target, place))
    return now
