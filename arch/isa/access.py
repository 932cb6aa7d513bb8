"""A part of a memory that an instruction reads or writes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa.enums import Space


@dataclass(frozen=True, slots=True)
class Access:
    """count2 x count1 pieces of `size` bytes; i2, i1 begins at address + i1*stride1 + i2*stride2."""

    space: Space
    write: bool
    address: int
    size: int
    count1: int = 1
    stride1: int = 0
    count2: int = 1
    stride2: int = 0

    @property
    def low(self) -> int:
        """First byte."""
        return self.address

    @property
    def high(self) -> int:
        """Behind the last byte."""
        last = (self.count1 - 1) * self.stride1 + (self.count2 - 1) * self.stride2
        return self.address + last + self.size

    @property
    def bytes(self) -> int:
        """Bytes moved; those of pieces that overlap count each time."""
        return self.size * self.count1 * self.count2

    def starts(self) -> NDArray[np.int64]:
        """Addresses of the pieces, [count2 * count1]."""
        outer = np.arange(self.count2)[:, None] * self.stride2
        return (self.address + outer + np.arange(self.count1) * self.stride1).reshape(-1)

    def moved(self, offset: int) -> Access:
        """The same, `offset` bytes further."""
        return replace(self, address=self.address + offset)
