"""What a run does with DRAM and the scratchpad as time passes, in bins that add up exactly.

- Bytes per direction: those of a LOAD arrive evenly in its last `words` cycles, those of a STORE leave
  evenly in the `words` cycles after ISSUE (docs/machine.md, section 6: both take ISSUE + latency +
  words). All bins together are the DRAM traffic of `emu.traffic`, to the byte.
- Live bytes of the scratchpad: see `emu.occupancy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.duration import ISSUE, bytes_per_cycle
from intarsia.arch.isa import Load, Store, Unit
from intarsia.arch.program import Program
from intarsia.arch.timeline import Cycles, Timeline
from intarsia.emu.occupancy import Occupancy, occupancy_of

BINS = 500
"""Of the report: fine enough for a plot, and few enough for JSON."""


@dataclass(frozen=True)
class Bins:
    """A run cut at `edges` [n + 1] cycles: all bins are alike, the last may be shorter.

    read, written: DRAM bytes per bin, int64 [n].  byte_cycles: live bytes of the scratchpad summed over
    the cycles of a bin, int64 [n].
    """

    edges: Cycles
    read: NDArray[np.int64]
    written: NDArray[np.int64]
    byte_cycles: NDArray[np.int64]

    @property
    def cycles(self) -> NDArray[np.int64]:
        """Length of every bin."""
        return np.diff(self.edges)

    @property
    def live(self) -> NDArray[np.float64]:
        """Mean of the live bytes in every bin."""
        return self.byte_cycles / self.cycles


@dataclass(frozen=True)
class OverTime:
    """DRAM and scratchpad of a program over its timeline."""

    program: Program
    timeline: Timeline

    @cached_property
    def occupancy(self) -> Occupancy:
        """Of the scratchpad, to the cycle."""
        return occupancy_of(self.program, self.timeline)

    def bins(self, most: int = BINS) -> Bins:
        """The run in at most so many bins, at least one."""
        cycles = max(self.timeline.cycles, 1)
        step = -(-cycles // most)
        edges = np.minimum(np.arange(0, cycles + step, step), cycles)
        return Bins(
            edges,
            self._moved(Unit.LOAD, edges),
            self._moved(Unit.STORE, edges),
            self.occupancy.byte_cycles(edges),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values of the report."""
        bins = self.bins()
        return {
            "cycles": self.timeline.cycles,
            "bin_cycles": int(bins.edges[1]),
            "dram_read_bytes": bins.read.tolist(),
            "dram_write_bytes": bins.written.tolist(),
            "scratchpad_live_bytes": bins.live.tolist(),
            "scratchpad_peak_bytes": self.occupancy.peak,
            "scratchpad_bytes": self.program.machine.scratchpad_bytes,
            "port_bytes_per_cycle": bytes_per_cycle(self.program.machine),
        }

    def _moved(self, unit: Unit, edges: Cycles) -> NDArray[np.int64]:
        """Bytes of a queue between every two edges."""
        sizes = [np.zeros(0, np.int64)]
        for segment in self.program.segments:
            moves = [one for one in segment.queues[unit] if isinstance(one, Load | Store)]
            once = np.array([one.size * one.count1 * one.count2 for one in moves], np.int64)
            sizes.append(np.tile(once, segment.repeat))
        size, times = np.concatenate(sizes), self.timeline.units[unit]
        words = times.end - times.start - ISSUE - self.program.machine.memory_latency
        first = times.end - words if unit is Unit.LOAD else times.start + ISSUE
        if not len(size):
            return np.zeros(len(edges) - 1, np.int64)
        # Up to an edge: all transfers that began before it, but of the last of them its share.
        before = np.concatenate([[0], np.cumsum(size)])
        last = np.searchsorted(first, edges) - 1
        share = np.clip(edges - first[last], 0, words[last]) * size[last] // words[last]
        return np.diff(np.where(last < 0, 0, before[last] + share))
