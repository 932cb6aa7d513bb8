"""What of a memory was written and when it was last written and read: hazards are found in program time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.access import Access, space_bytes
from intarsia.arch.isa import Space
from intarsia.arch.program import OUTPUT_KINDS, Program

GRANULE = 16
"""Bytes whose times are kept together; whether they were ever written is known of each."""
SPILLED = ("activations", *OUTPUT_KINDS)
"""Kinds of DRAM regions that the program itself writes; all others hold something from the start."""


class History:
    """From `origin` on, of `size` bytes: which hold something, and per granule the ends of the last write
    and the last read.

    Accesses have to come by their time of start: `find` says what is wrong with one, and `mark`
    then records it.
    """

    def __init__(self, origin: int, size: int) -> None:
        self.origin = origin // GRANULE
        self.granules = -(-(origin + size) // GRANULE) - self.origin
        self.written = np.zeros(self.granules, np.int64)
        self.read = np.zeros(self.granules, np.int64)
        self.held = np.zeros(self.granules * GRANULE, np.bool_)

    def fill(self, address: int, size: int) -> None:
        """These bytes hold something from the start."""
        first = address - self.origin * GRANULE
        self.held[max(first, 0) : max(first + size, 0)] = True

    def find(self, access: Access, start: int) -> tuple[int, str] | None:
        """The address and kind of the first hazard of an access that starts now."""
        part = self._part(access)
        if part is None:
            return None
        if access.write:
            if self._view(self.read, part).max() > start:
                return self._where(access, part, self.read > start), "is written while it is read"
            if self._view(self.written, part).max() > start:
                return self._where(access, part, self.written > start), "is written by two"
            return None
        held = self._bytes(access)
        if not held.all():
            i2, i1, byte = np.nonzero(~held)
            places = access.low + i2 * access.stride2 + i1 * access.stride1 + byte
            return int(places.min()), "is read before it is written"
        if self._view(self.written, part).max() > start:
            return self._where(access, part, self.written > start), "is read while it is written"
        return None

    def mark(self, access: Access, end: int) -> None:
        """An access that ends at `end`."""
        part = self._part(access)
        if part is None:
            return
        if access.write:
            self._bytes(access)[...] = True
            if isinstance(part, Access):
                self._view(self.written, part)[...] = end
            else:
                self.written[part] = end
        elif isinstance(part, Access | slice):
            view = self._view(self.read, part)
            np.maximum(view, end, out=view)
        else:
            self.read[part] = np.maximum(self.read[part], end)

    def _part(self, access: Access) -> Any:
        """What selects an access's granules: a slice, the access itself if all its pieces are whole, or
        numbers. None where it lies outside, in DRAM that nobody writes."""
        if access.low < self.origin * GRANULE or access.high > (self.origin + self.granules) * GRANULE:
            return None
        if (access.address | access.stride1 | access.stride2) % GRANULE == 0:
            if access.count2 == 1 and (access.count1 == 1 or access.stride1 == access.size):
                return slice(access.low // GRANULE - self.origin, -(-access.high // GRANULE) - self.origin)
            return access
        firsts = access.starts()
        lasts = (firsts + access.size - 1) // GRANULE
        firsts //= GRANULE
        width = np.arange(int((lasts - firsts).max()) + 1)
        return np.minimum(firsts[:, None] + width, lasts[:, None]) - self.origin

    def _view(self, array: NDArray[np.int64], part: Any) -> NDArray[np.int64]:
        if not isinstance(part, Access):
            return array[part]
        shape = part.count2, part.count1, -(-part.size // GRANULE)
        steps = part.stride2 // GRANULE * 8, part.stride1 // GRANULE * 8, 8
        return np.ndarray(shape, np.int64, array, (part.low // GRANULE - self.origin) * 8, steps)

    def _bytes(self, access: Access) -> NDArray[np.bool_]:
        """Which bytes of an access hold something, [count2, count1, size]."""
        shape = access.count2, access.count1, access.size
        strides = access.stride2, access.stride1, 1
        return np.ndarray(shape, np.bool_, self.held, access.low - self.origin * GRANULE, strides)

    def _where(self, access: Access, part: Any, wrong: NDArray[np.bool_]) -> int:
        touched = self._view(np.arange(self.granules), part)
        first = int(touched[wrong[touched]].min()) + self.origin
        return max(first * GRANULE, access.low)


def histories(program: Program) -> dict[Space, History]:
    """Of the on-chip memories, empty, and of DRAM from the first to the last byte that is spilled."""
    found: dict[Space, History] = {}
    for space in Space:
        if space is not Space.DRAM:
            found[space] = History(0, space_bytes(space, program.machine, program.dram_bytes))
    spilled = [region for region in program.regions if region.kind in SPILLED]
    low = min((region.address for region in spilled), default=0)
    high = max((region.address + region.size for region in spilled), default=0)
    found[Space.DRAM] = History(low, high - low)
    for region in program.regions:
        if region.kind not in SPILLED:
            found[Space.DRAM].fill(region.address, region.size)
    return found
