"""The errors that stop the machine (docs/machine.md, section 8)."""

from __future__ import annotations

UNKNOWN, FIELD, ADDRESS, BUS, PORT, WATCHDOG = 1, 2, 3, 4, 5, 6
"""Codes of docs/machine.md, section 8."""


class InstructionError(Exception):
    """An error of an instruction that does not know its place in the program."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def check(name: str, value: int, low: int, high: int) -> int:
    """`value` where it lies in low..high, else a fault of the field `name`."""
    if not low <= value <= high:
        raise InstructionError(FIELD, f"{name} must be in {low}..{high}, not {value}")
    return value
