"""When every instruction of a program ran, and why its units stood still in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Unit
from intarsia.arch.layers import Layer
from intarsia.arch.machine import Machine

Cycles = NDArray[np.int64]

CAUSES = (*(unit.name.lower() for unit in Unit), "wait", "barrier", "finished")
"""Why a unit stood still: the unit that it waited for; issuing a WAIT (a cycle each); waiting for
the others at the end of a segment; nothing left to do in the last one.

Each is counted twice over. A unit is idle, without work, at the waits before its first and behind its
last instruction of an iteration of a segment, at barriers and once finished; at the waits in between
it stands still in mid-work."""


@dataclass(frozen=True)
class UnitTimeline:
    """What one unit did: `start`, `end` int64 and `label` int32 (into Timeline.names) per instruction.

    busy: cycles in instructions;  stalls: all others by cause (CAUSES). They add up to Timeline.cycles.
    idles: the part of `stalls` in which the unit had no work (see CAUSES), by cause.
    """

    unit: Unit
    start: Cycles
    end: Cycles
    label: NDArray[np.int32]
    busy: int
    stalls: Mapping[str, int]
    idles: Mapping[str, int]

    @property
    def stalled(self) -> int:
        """Cycles in which the unit did nothing."""
        return sum(self.stalls.values())

    @property
    def idle(self) -> int:
        """Those in which it had no work."""
        return sum(self.idles.values())

    @property
    def mid_work_stalls(self) -> dict[str, int]:
        """Those in mid-work, by cause: with `busy` and `idle` they add up to Timeline.cycles."""
        left = {cause: cycles - self.idles.get(cause, 0) for cause, cycles in self.stalls.items()}
        return {cause: cycles for cause, cycles in left.items() if cycles}

    @property
    def mid_work(self) -> int:
        """Cycles in which it stood still in mid-work."""
        return self.stalled - self.idle


@dataclass(frozen=True)
class SegmentSpan:
    """From the barrier before a segment to the one behind it."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Timeline:
    """Times of a whole program.

    units: by Unit;  names: graph nodes, with their iteration;  layers: by time of start.
    """

    machine: Machine
    cycles: int
    units: tuple[UnitTimeline, ...]
    names: tuple[str, ...]
    segments: tuple[SegmentSpan, ...]
    layers: tuple[Layer, ...]

    @property
    def macs(self) -> int:
        """Multiplications of all matrix products, ragged tiles not filled up."""
        return sum(layer.macs for layer in self.layers)

    @property
    def utilization(self) -> float:
        """MACs / (cycles * lanes * depth)."""
        peak = self.cycles * self.machine.lanes * self.machine.depth
        return self.macs / peak if peak else 0.0
