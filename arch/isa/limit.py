"""What fields must not be on a given machine, or beside each other, though their own ranges allow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from intarsia.arch.isa.operand import When
from intarsia.arch.machine import Machine


@dataclass(frozen=True)
class Limit:
    """`field` is in low..high, `high` a number or a field of the machine; only `when`, if that is given."""

    field: str
    low: int = 1
    high: int | str = 65535
    when: When | None = None

    @property
    def of_machine(self) -> bool:
        """Whether the machine says what the largest value is."""
        return isinstance(self.high, str)

    def highest(self, machine: Machine) -> int:
        """The largest allowed value, which no field of 16 bits exceeds."""
        high = getattr(machine, self.high) if isinstance(self.high, str) else self.high
        return min(high, 65535)

    def wrong(self, op: Any, machine: Machine) -> str:
        """The sentence that says what is wrong; nothing where nothing is."""
        value, high = getattr(op, self.field), self.highest(machine)
        if self.low <= value <= high or (self.when is not None and not self.when.holds(op)):
            return ""
        return f"{self.field} must be in {self.low}..{high}, not {value}"


@dataclass(frozen=True)
class Apart:
    """`target` is not the address of `source`, `when`."""

    source: str
    target: str
    when: When

    def wrong(self, op: Any, machine: Machine) -> str:
        """As of a Limit."""
        at = getattr(op, self.target)
        if at != getattr(op, self.source) or not self.when.holds(op):
            return ""
        return f"{self.target} must be another address than the {self.source}'s for 16 bits, not {at:#x}"
