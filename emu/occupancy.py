"""How much of the scratchpad holds something that will still be read, over time.

Counted in lines of 16 bytes. A line is live from the start of the instruction that writes it, for the
first time since it was last read, to the end of the last one that reads it before it is written
again. What is written and never read is never live; neither is what an instruction overwrites in place
live twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.access import Access, accesses
from intarsia.arch.isa import Instruction, Space, Unit, Wait
from intarsia.arch.program import Program
from intarsia.arch.timeline import Cycles, Timeline

LINE = 16
"""Bytes."""


@dataclass(frozen=True)
class Occupancy:
    """`live[i]` bytes int64 from cycle times[i] on, up to times[i + 1]; nothing before times[0] = 0."""

    times: Cycles
    live: NDArray[np.int64]

    @property
    def peak(self) -> int:
        """Most bytes at once."""
        return int(self.live.max())

    def byte_cycles(self, edges: Cycles) -> NDArray[np.int64]:
        """Bytes times cycles between every two edges; they add up exactly."""
        held = self.live[:-1] * np.diff(self.times)
        before = np.concatenate([[0], np.cumsum(held)])
        place = np.searchsorted(self.times, edges, "right") - 1
        until = before[place] + self.live[place] * (edges - self.times[place])
        return np.diff(until)


def occupancy_of(program: Program, timeline: Timeline) -> Occupancy:
    """The scratchpad of a program that `check_program` accepts; `timeline` is its own."""
    lines = _Lines(program.machine.scratchpad_bytes // LINE)
    for start, end, touched in _by_start(program, timeline):
        for access in touched:
            if not access.write:
                lines.read(access, end)
        for access in touched:
            if access.write:
                lines.write(access, start)
    return lines.finish()


class _Lines:
    """Per line: since when it holds something (-1: never), and when its last read ends (-1: unread)."""

    def __init__(self, count: int) -> None:
        self.born = np.full(count, -1, np.int64)
        self.last = np.full(count, -1, np.int64)
        self._changes: Counter[int] = Counter({0: 0})

    def read(self, access: Access, end: int) -> None:
        part = _part(access)
        last = _view(self.last, part)
        # Instructions come by their start: one that began earlier may read longer.
        np.maximum(last, end, out=last)
        if isinstance(part, np.ndarray):
            self.last[part] = last

    def write(self, access: Access, start: int) -> None:
        part = _part(access)
        born, last = _view(self.born, part), _view(self.last, part)
        first, latest = int(born.flat[0]), int(last.flat[0])
        if first >= 0 and latest >= 0 and (born == first).all() and (last == latest).all():
            # Mostly all lines have one history.
            self._add(first, latest, born.size)
            since: NDArray[np.int64] | int = max(latest, start)
        else:
            over = (born >= 0) & (last >= 0)
            self._close(born[over], last[over])
            since = np.where(over, np.maximum(last, start), np.where(born < 0, start, born))
        if isinstance(part, np.ndarray):
            self.born[part], self.last[part] = since, -1
        else:
            born[...], last[...] = since, -1

    def finish(self) -> Occupancy:
        over = (self.born >= 0) & (self.last >= 0)
        self._close(self.born[over], self.last[over])
        times = np.array(sorted(self._changes), np.int64)
        changes = np.array([self._changes[time] for time in times.tolist()], np.int64)
        return Occupancy(times, np.cumsum(changes) * LINE)

    def _close(self, born: NDArray[np.int64], last: NDArray[np.int64]) -> None:
        if not born.size:
            return
        # Neighbours mostly have one history: runs of equal ones are counted together.
        change = np.flatnonzero((np.diff(born) != 0) | (np.diff(last) != 0)) + 1
        firsts = np.concatenate([[0], change])
        counts = np.diff(np.concatenate([firsts, [born.size]]))
        for since, until, count in zip(
            born[firsts].tolist(), last[firsts].tolist(), counts.tolist(), strict=True
        ):
            self._add(since, until, count)

    def _add(self, since: int, until: int, lines: int) -> None:
        self._changes[since] += lines
        self._changes[until] -= lines


def _part(access: Access) -> slice | Access | NDArray[np.int64]:
    """The lines that an access touches, each once: a slice, rows of whole lines apart, or numbers."""
    rows = -(-access.size // LINE) * LINE
    whole = (access.address | access.stride1 | access.stride2) % LINE == 0
    if access.count2 == 1 and (access.count1 == 1 or (whole and 0 < access.stride1 <= rows)):
        return slice(access.low // LINE, -(-access.high // LINE))
    inner = access.stride1 * (access.count1 - 1) + rows
    if whole and access.stride1 >= rows and (access.count2 == 1 or access.stride2 >= inner):
        return access
    starts = access.starts()
    firsts = starts // LINE
    lasts = (starts + access.size - 1) // LINE
    width = np.arange(int((lasts - firsts).max()) + 1)
    return np.unique(np.minimum(firsts[:, None] + width, lasts[:, None]))


def _view(array: NDArray[np.int64], part: slice | Access | NDArray[np.int64]) -> NDArray[np.int64]:
    """The lines of a part; those of rows apart are no copy."""
    if not isinstance(part, Access):
        return array[part]
    shape = part.count2, part.count1, -(-part.size // LINE)
    steps = part.stride2 // LINE * 8, part.stride1 // LINE * 8, 8
    return np.ndarray(shape, np.int64, array, part.low // LINE * 8, steps)


def _by_start(program: Program, timeline: Timeline) -> Iterator[tuple[int, int, tuple[Access, ...]]]:
    """(start, end, accesses to the scratchpad) of all instructions by time of start."""
    kinds: list[tuple[Access, ...]] = []
    parts = [np.zeros((0, 3), np.int64)]
    places = [0] * len(Unit)
    for segment in program.segments:
        for unit in Unit:
            queue = [one for one in segment.queues[unit] if not isinstance(one, Wait)]
            stop = places[unit] + len(queue) * segment.repeat
            part, places[unit] = slice(places[unit], stop), stop
            number = np.tile(np.arange(len(kinds), len(kinds) + len(queue)), segment.repeat)
            times = timeline.units[unit]
            parts.append(np.stack([times.start[part], times.end[part], number], axis=1))
            kinds += [_scratchpad(one, program) for one in queue]
    rows = np.concatenate(parts)
    for start, end, number in rows[np.argsort(rows[:, 0], kind="stable")].tolist():
        yield start, end, kinds[number]


def _scratchpad(instruction: Instruction, program: Program) -> tuple[Access, ...]:
    touched = accesses(instruction, program.machine)
    return tuple(access for access in touched if access.space is Space.SCRATCHPAD)
