"""Named scalars in consecutive bytes: parameter words, and the constants of outputs and of channels.

One declaration serves the compiler, which packs them, the emulator, which reads and checks them, and the
hardware, which cuts them out of a word and checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa.errors import check
from intarsia.model.integer.constants import MAX_SHIFT


@dataclass(frozen=True)
class Scalar:
    """An integer of `bits` bits from byte `first` on; low <= value <= high.

    usual: values that random programs take most of the time, low and high.
    names: what the values 0, 1, ... are called, where each is a choice.
    text: what a sentence calls it, if not by its name.
    """

    name: str
    first: int
    bits: int
    low: int
    high: int
    usual: tuple[int, int] | None = None
    names: tuple[str, ...] = ()
    text: str = ""

    @property
    def signed(self) -> bool:
        return self.low < 0

    @property
    def least(self) -> int:
        """The smallest value that its bits can hold."""
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def most(self) -> int:
        """The largest."""
        return (1 << self.bits - self.signed) - 1

    @property
    def limited(self) -> bool:
        """Whether its bits can hold a value that is out of its range."""
        return self.low > self.least or self.high < self.most

    @property
    def type(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"

    def check(self, values: Any) -> None:
        """Raises InstructionError unless all values, one or an array, are in its range."""
        if self.limited:
            for value in (int(np.min(values)), int(np.max(values))):
                check(self.text or self.name, value, self.low, self.high)


@dataclass(frozen=True)
class Record:
    """Scalars in `size` bytes; bytes of no scalar are 0 and mean nothing."""

    size: int
    scalars: tuple[Scalar, ...]

    def __getitem__(self, name: str) -> Scalar:
        return next(scalar for scalar in self.scalars if scalar.name == name)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The same for NumPy."""
        return np.dtype(
            {
                "names": [scalar.name for scalar in self.scalars],
                "formats": [np.dtype(scalar.type).newbyteorder("<") for scalar in self.scalars],
                "offsets": [scalar.first for scalar in self.scalars],
                "itemsize": self.size,
            }
        )

    def packed(self, count: int = 1, **values: Any) -> NDArray[np.uint8]:
        """The bytes of `count` records, uint8 [count * size]; scalars without values are 0."""
        found = np.zeros(count * self.size, np.uint8)
        for name, value in values.items():
            found.view(self.dtype)[name] = value
        return found

    def checked(self, values: Any) -> Mapping[str, Any]:
        """The scalars of one record or an array of them; one out of its range raises InstructionError."""
        found = {scalar.name: values[scalar.name] for scalar in self.scalars}
        for scalar in self.scalars:
            scalar.check(found[scalar.name])
        return found


def multiplier(name: str, first: int, usual: tuple[int, int] | None = None) -> Scalar:
    """The b of a dyadic multiplier b / 2**c."""
    return Scalar(name, first, 32, -(2**31), 2**31 - 1, usual)


def shift(name: str, first: int, bits: int) -> Scalar:
    """The c of it; `bits` are what products have, which a shift brings to about eight."""
    usual = bits - 11, bits - 5
    return Scalar(name, first, 8, 0, MAX_SHIFT, usual, text=f"shift {name}")
