"""The memories of a machine, seen as matrices, and the errors that stop it (docs/machine.md, 2 and 8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.isa import Space, Unit
from emu.machine import CONSTANTS_BYTES, PARAMETERS_BYTES, TABLE_BYTES, Machine
from model.errors import InputError

UNKNOWN, FIELD, ADDRESS, PORT, WATCHDOG = 1, 2, 3, 5, 6
ALIGNMENT = 16
"""Of matrices in the scratchpad, in bytes."""

POISON = 0xA5
"""What on-chip memories hold before a program writes them: a read before the first write shows."""

_NAMES = ("DRAM", "scratchpad", "stationary buffer", "parameters", "row constants", "table")


class MachineError(InputError):
    """The machine has stopped.

    `code` as in section 8 of docs/machine.md, `unit`, and `index` of the instruction in the unit's
    list of the segment, waits included.
    """

    def __init__(self, code: int, unit: Unit, index: int, sentence: str) -> None:
        super().__init__(f"error {code} at {unit.name.lower()} instruction {index}: {sentence}")
        self.code, self.unit, self.index = code, unit, index


class InstructionError(Exception):
    """An error of an instruction that does not know its place in the program."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def check(name: str, value: int, low: int, high: int) -> int:
    """`value` where it lies in low..high, else a fault of the field `name`."""
    if not low <= value <= high:
        raise InstructionError(FIELD, f"{name} is {value}, {low}..{high} is wanted")
    return value


def check_strides(strides: Iterable[int]) -> None:
    """Strides of matrices in the scratchpad are multiples of 16 that fit their field."""
    for stride in strides:
        if stride % 16 or not 0 <= stride <= 16 * 65535:
            raise InstructionError(
                FIELD, f"stride is {stride}, a multiple of 16 in 0..{16 * 65535} is wanted"
            )


class Memories:
    """All memories of `machine` as bytes; DRAM is the array given, the others are filled with POISON."""

    def __init__(self, machine: Machine, dram: NDArray[np.uint8]) -> None:
        self.machine = machine
        sizes = (machine.scratchpad_bytes, machine.stationary_bytes, PARAMETERS_BYTES, CONSTANTS_BYTES)
        chip = [np.full(size, POISON, np.uint8) for size in (*sizes, TABLE_BYTES)]
        self.spaces = dict(zip(Space, (dram, *chip), strict=True))

    def view(
        self, space: Space, address: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any
    ) -> Any:
        """Array over the bytes of `space` from `address` on; the last axis is contiguous.

        `strides`, in bytes and not negative, are those of the axes before it. A byte outside the
        memory is a fault.
        """
        memory, dtype = self.spaces[space], np.dtype(dtype)
        steps = (*strides, dtype.itemsize)
        end = address + sum((n - 1) * step for n, step in zip(shape, steps, strict=True)) + dtype.itemsize
        if address < 0 or end > memory.size:
            extent = f"bytes {address:#x} to {end:#x}"
            raise InstructionError(
                ADDRESS, f"{extent} are not all inside the {_NAMES[space]} of {memory.size:#x} bytes"
            )
        return np.ndarray(shape, dtype, memory.data, address, steps)

    def matrix(self, name: str, address: int, stride: int, rows: int, columns: int, dtype: Any) -> Any:
        """Matrix [rows, columns] in the scratchpad, rows `stride` bytes apart; labels begin anywhere."""
        check_strides([stride])
        if address % ALIGNMENT and np.dtype(dtype).kind != "u":
            raise InstructionError(FIELD, f"{name} is at {address:#x}, a multiple of {ALIGNMENT} is wanted")
        return self.view(Space.SCRATCHPAD, address, (rows, columns), (stride,), dtype)

    def parameter(self, index: int, layout: np.dtype[Any]) -> Any:
        """The fields `layout` of a parameter word, as Python integers."""
        check("param", index, 0, PARAMETERS_BYTES // 16 - 1)
        return self.view(Space.PARAMETERS, 16 * index, (1,), (), layout)[0].item()

    def check_banks(self, name: str, first: Any, other: str, second: Any) -> None:
        """Two matrices that are read at once must not share a bank."""
        if shared := self._banks(first) & self._banks(second):
            raise InstructionError(
                PORT, f"{name} and {other} are both in bank {min(shared)}, different ones are wanted"
            )

    def _banks(self, matrix: Any) -> set[int]:
        memory, size = self.spaces[Space.SCRATCHPAD], self.machine.bank_bytes
        start = matrix.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
        (rows, columns), (stride, step) = matrix.shape, matrix.strides
        if stride <= size:
            rows, columns, step = 1, (rows - 1) * stride + columns * step, 1
        firsts = (start + row * stride for row in range(rows))
        return {b for at in firsts for b in range(at // size, (at + columns * step - 1) // size + 1)}


def positive(instruction: Any, *fields: str, high: int = 65535) -> None:
    """Sizes of an instruction that must be in 1..high."""
    for field in fields:
        check(field, getattr(instruction, field), 1, high)
