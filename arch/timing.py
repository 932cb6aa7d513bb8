"""Start and end of every instruction of a program: an event simulation over closed-form durations.

The time of a program does not depend on data. Queues are in order, so the order in which events can
be computed is the same in every iteration of a segment: it is found once, and then a few integer
operations per instruction remain. Cycles are counted from 0; an instruction of c cycles that starts
at t holds its unit in t..t+c-1, ends at t+c, and its successor starts at t+c. A WAIT that starts at
t ends at t+1, or when its condition is met, whichever is later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.arch import duration
from intarsia.arch.isa import Unit, Wait
from intarsia.arch.layers import layers_of
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Segment, check_base
from intarsia.arch.timeline import CAUSES, Cycles, SegmentSpan, Timeline, UnitTimeline
from intarsia.model.errors import InputError

__all__ = ["Cycles", "ProgramError", "SegmentSpan", "Timeline", "UnitTimeline", "simulate_program"]


class ProgramError(InputError):
    """A program that the machine could not run, or would run wrongly."""


def simulate_program(program: Program) -> Timeline:
    """Times of every instruction; a WAIT that can never be met raises ProgramError."""
    begin = 0
    names: dict[str, int] = {}
    ends = [[np.zeros(0, np.int64)] for _ in Unit]
    spent = [[np.zeros(0, np.int64)] for _ in Unit]
    labels = [[np.zeros(0, np.int32)] for _ in Unit]
    stalls = [dict.fromkeys(CAUSES, 0) for _ in Unit]
    idles = [dict.fromkeys(CAUSES, 0) for _ in Unit]
    spans = []
    for number, segment in enumerate(program.segments):
        run = _Run(_Plan.of(segment, program.machine), begin)
        run.simulate(segment.repeat)
        finish = max(run.free)
        last = number == len(program.segments) - 1
        for unit in Unit:
            ends[unit].append(np.array(run.ends[unit], np.int64))
            spent[unit].append(np.tile(run.plan.durations[unit], segment.repeat))
            labels[unit].append(_labels(segment, unit, names))
            for mine, counts in ((stalls, run.stalls), (idles, run.idles)):
                for cause, cycles in zip(CAUSES, counts[unit], strict=False):
                    mine[unit][cause] += cycles
                mine[unit]["finished" if last else "barrier"] += finish - run.free[unit]
        spans.append(SegmentSpan(segment.name, begin, finish))
        begin = finish
    units = []
    for unit in Unit:
        end, held = np.concatenate(ends[unit]), np.concatenate(spent[unit])
        label = np.concatenate(labels[unit])
        causes, idle = (
            {cause: value for cause, value in counts[unit].items() if value} for counts in (stalls, idles)
        )
        units.append(UnitTimeline(unit, end - held, end, label, int(held.sum()), causes, idle))
    layers = layers_of(program, [(u.start, u.end, u.label) for u in units], tuple(names))
    return Timeline(program.machine, begin, tuple(units), tuple(names), tuple(spans), layers)


@dataclass(frozen=True)
class _Plan:
    """One iteration of a segment, in an order in which it can be computed.

    steps: (unit, codes); a code >= 0 is the duration of an instruction, ~code a number in `waits`.
    waits: (unit, count);  idle: whether one is outside of its unit's work (`arch.timeline.CAUSES`).
    totals: instructions per unit.  depth: iterations that waits look back.
    """

    steps: tuple[tuple[int, tuple[int, ...]], ...]
    waits: tuple[tuple[int, int], ...]
    idle: tuple[bool, ...]
    totals: tuple[int, ...]
    durations: tuple[Cycles, ...]
    depth: int

    @classmethod
    def of(cls, segment: Segment, machine: Machine) -> _Plan:
        check_base(segment, machine)
        waits: list[tuple[int, int]] = []
        idle: list[bool] = []
        codes: list[list[int]] = []
        durations = []
        for queue in segment.queues:
            mine: list[int] = []
            times: list[int] = []
            total = sum(not isinstance(instruction, Wait) for instruction in queue)
            for instruction in queue:
                if isinstance(instruction, Wait):
                    mine.append(~len(waits))
                    waits.append((int(instruction.unit), instruction.count))
                    idle.append(len(times) in (0, total))
                else:
                    times.append(duration.cycles(instruction, machine))
                    mine.append(times[-1])
            codes.append(mine)
            durations.append(np.array(times, np.int64))
        totals = tuple(len(times) for times in durations)
        steps = _ordered(segment, codes, waits)
        # Without instructions there is no iteration before: such a count is 0 for ever, and met.
        back = [-((count - 1) // totals[unit]) for unit, count in waits if count <= 0 < totals[unit]]
        return cls(steps, tuple(waits), tuple(idle), totals, tuple(durations), max([1, *back]))


def _ordered(
    segment: Segment, codes: list[list[int]], waits: list[tuple[int, int]]
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """The queues cut at the waits that have to be met by others first."""
    steps = []
    place, done = [0] * len(codes), [0] * len(codes)
    progress = True
    while progress:
        progress = False
        for unit, queue in enumerate(codes):
            start = place[unit]
            while place[unit] < len(queue):
                code = queue[place[unit]]
                if code < 0:
                    other, count = waits[~code]
                    if count > done[other]:
                        break
                else:
                    done[unit] += 1
                place[unit] += 1
            if place[unit] > start:
                steps.append((unit, tuple(queue[start : place[unit]])))
                progress = True
    for unit, queue in enumerate(codes):
        if place[unit] < len(queue):
            other, count = waits[~queue[place[unit]]]
            raise ProgramError(
                f"segment {segment.name}: {Unit(unit).name.lower()} waits for ever at {place[unit]}"
                f" of its queue: {Unit(other).name.lower()} must reach {count}, not {done[other]}"
            )
    return tuple(steps)


class _Run:
    """The state of a segment's simulation: when units are free, ends so far, stalls by cause."""

    def __init__(self, plan: _Plan, begin: int) -> None:
        self.plan = plan
        self.free = [begin] * len(plan.totals)
        self.ends: list[list[int]] = [[] for _ in plan.totals]
        self.stalls = [[0] * (len(plan.totals) + 1) for _ in plan.totals]
        self.idles = [list(row) for row in self.stalls]

    def simulate(self, repeat: int) -> None:
        """All iterations; what has become periodic is copied.

        An iteration is a function of the `depth` iterations before it that commutes with a shift
        in time. So once `depth` iterations in a row were shifted copies of the one before, by the
        same time, all others will be.
        """
        periodic, shift = 0, 0
        for iteration in range(repeat):
            stalls = [list(row) for row in self.stalls + self.idles]
            free = list(self.free)
            self._iterate(iteration)
            delta = self._shift(iteration, free)
            if delta and iteration >= self.plan.depth:
                periodic, shift = (periodic + 1 if delta == shift else 1), delta
            else:
                periodic = 0
            if periodic >= self.plan.depth:
                self._repeat(iteration, repeat - 1 - iteration, shift, stalls)
                return

    def _iterate(self, iteration: int) -> None:
        plan, free, ends = self.plan, self.free, self.ends
        issue = len(plan.totals)
        offsets = [iteration * total - 1 for total in plan.totals]
        for unit, codes in plan.steps:
            now, mine, stalls, idles = free[unit], ends[unit], self.stalls[unit], self.idles[unit]
            for code in codes:
                if code >= 0:
                    now += code
                    mine.append(now)
                    continue
                other, count = plan.waits[~code]
                now += duration.WAIT
                stalls[issue] += duration.WAIT
                idle = plan.idle[~code]
                if idle:
                    idles[issue] += duration.WAIT
                index = offsets[other] + count
                if index >= 0:
                    met = ends[other][index]
                    if met > now:
                        stalls[other] += met - now
                        if idle:
                            idles[other] += met - now
                        now = met
            free[unit] = now

    def _shift(self, iteration: int, free: list[int]) -> int:
        """By how much this iteration is later than the one before, where it is a copy; else 0."""
        if not iteration:
            return 0
        shift = 0
        for unit, total in enumerate(self.plan.totals):
            if self.free[unit] == free[unit] and not total:
                continue
            shift = shift or self.free[unit] - free[unit]
            if self.free[unit] - free[unit] != shift:
                return 0
            if total:
                ends = self.ends[unit]
                before = ends[-2 * total : -total]
                if any(b - a != shift for a, b in zip(before, ends[-total:], strict=True)):
                    return 0
        return shift

    def _repeat(self, iteration: int, times: int, shift: int, stalls: list[list[int]]) -> None:
        for unit, total in enumerate(self.plan.totals):
            last = self.ends[unit][len(self.ends[unit]) - total :]
            for i in range(1, times + 1):
                self.ends[unit].extend([end + i * shift for end in last])
            moved = bool(total) or any(step[0] == unit for step in self.plan.steps)
            self.free[unit] += times * shift * moved
        for counts, before in zip(self.stalls + self.idles, stalls, strict=True):
            for cause, cycles in enumerate(before):
                counts[cause] += times * (counts[cause] - cycles)


def _labels(segment: Segment, unit: Unit, names: dict[str, int]) -> NDArray[np.int32]:
    """Index into `names` of every instruction of a unit; new names are added."""
    if all(segment.same_in_all(label) for label in set(segment.labels[unit])):
        one = [names.setdefault(label, len(names)) for label in segment.labels[unit]]
        return np.tile(np.array(one, np.int32), segment.repeat)
    numbers = []
    for iteration in range(segment.repeat):
        filled = {label: segment.name_of(label, iteration) for label in set(segment.labels[unit])}
        numbers += [names.setdefault(filled[label], len(names)) for label in segment.labels[unit]]
    return np.array(numbers, np.int32)
