"""The fields of an instruction in its 32 bytes; a class has each as `name: Annotated[int, address(1)]`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import index
from typing import Any

from intarsia.arch.machine import PARAMETER_WORDS
from intarsia.model.errors import InputError


@dataclass(frozen=True)
class Field:
    """Bits shift .. shift+bits-1 of a word hold value // scale; low <= value <= high, as `type`.

    address: assembly writes it in hexadecimal.
    entry: it names an entry of a small memory. Hardware checks such fields last.
    """

    word: int
    shift: int
    bits: int
    low: int
    high: int
    scale: int = 1
    address: bool = False
    entry: bool = False
    name: str = ""
    type: type = int

    def named(self, name: str, kind: Any) -> Field:
        """The same, of this name and type."""
        return replace(self, name=name, type=kind)

    @property
    def mask(self) -> int:
        """Its bits in its word."""
        return (1 << self.bits) - 1 << self.shift

    @property
    def most(self) -> int:
        """The largest value that its bits can hold."""
        return ((1 << self.bits - (self.low < 0)) - 1) * self.scale

    def pack(self, value: Any) -> int:
        """The field's bits, in place; a value that does not fit raises InputError."""
        try:
            number = index(value)
        except TypeError:
            raise InputError(f"{self.name} must be {self.wanted()}, not {value!r}") from None
        if not self.holds(number):
            raise InputError(f"{self.name} must be {self.wanted()}, not {number}")
        return (number // self.scale & (1 << self.bits) - 1) << self.shift

    def unpack(self, word: int) -> Any:
        """The value in `word`; one out of its range raises InputError."""
        number = word >> self.shift & (1 << self.bits) - 1
        if self.low < 0 and number >> self.bits - 1:
            number -= 1 << self.bits
        number *= self.scale
        if not self.low <= number <= self.high:
            raise InputError(f"{self.name} must be {self.wanted()}, not {number}")
        return number if self.type is int else self.type(number)

    def holds(self, value: int) -> bool:
        """Whether it is one of the allowed values."""
        return self.low <= value <= self.high and value % self.scale == 0

    def wanted(self) -> str:
        """The allowed values, in words."""
        kind = f"a multiple of {self.scale}" if self.scale > 1 else "an integer"
        return f"{kind} in {self.low}..{self.high}"


def address(word: int) -> Field:
    """A byte address: a whole word."""
    return Field(word, 0, 32, 0, 2**32 - 1, address=True)


def distance(word: int, shift: int = 0, bits: int = 32) -> Field:
    """A stride of a transfer, in bytes."""
    return Field(word, shift, bits, 0, 2**bits - 1)


def stride(word: int, shift: int) -> Field:
    """A stride of a matrix in the scratchpad: a multiple of 16 bytes."""
    return Field(word, shift, 16, 0, 16 * (2**16 - 1), 16)


def size(word: int) -> Field:
    """A number of bytes, at least 1."""
    return Field(word, 0, 32, 1, 2**32 - 1)


def count(word: int, shift: int) -> Field:
    """A number of rows, elements or pieces, at least 1."""
    return Field(word, shift, 16, 1, 2**16 - 1)


def flag(bit: int) -> Field:
    """A bit of the flags in w0."""
    return Field(0, 8 + bit, 1, 0, 1)


def choice(word: int, shift: int, bits: int, low: int, high: int) -> Field:
    """One of the members low..high of an enumeration."""
    return Field(word, shift, bits, low, high)


def signed(word: int) -> Field:
    """An integer of 32 bits with a sign."""
    return Field(word, 0, 32, -(2**31), 2**31 - 1)


def entry(word: int, shift: int, bits: int, number: int) -> Field:
    """The index of one of `number` entries of a small memory."""
    return Field(word, shift, bits, 0, number - 1, entry=True)


PARAM = entry(0, 16, 16, PARAMETER_WORDS)
"""The index of the parameter word."""
