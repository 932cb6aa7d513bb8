"""The memories of a machine, seen as matrices, and the errors that stop it (docs/machine.md, 2 and 8)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Space, Unit
from intarsia.arch.legal import ADDRESS, NAMES, InstructionError
from intarsia.arch.machine import PARAMETERS_BYTES, TABLE_BYTES, Machine
from intarsia.model.errors import InputError

BLOCK = 0x10001
"""Bytes after which what was never written repeats: no power of two, so that no two banks are alike."""


def unwritten(size: int, seed: int = 0) -> NDArray[np.uint8]:
    """What a memory of so many bytes holds before anything is written there: noise, so that a read before
    the first write shows. Of other seeds it is other noise."""
    block = np.random.default_rng(seed).integers(0, 256, min(size, BLOCK), dtype=np.uint8)
    return np.resize(block, size)


class MachineError(InputError):
    """The machine has stopped.

    `code` as in section 8 of docs/machine.md, `unit`, `index` of the instruction in the unit's list of the
    segment, waits included, `segment` by its number and its `iteration`.
    """

    def __init__(
        self, code: int, unit: Unit, index: int, sentence: str, segment: int = 0, iteration: int = 0
    ) -> None:
        super().__init__(f"error {code} at {unit.name.lower()} instruction {index}: {sentence}")
        self.code, self.unit, self.index = code, unit, index
        self.segment, self.iteration = segment, iteration


class Memories:
    """All memories of `machine` as bytes; DRAM is the array given, the others hold what is `unwritten`."""

    def __init__(self, machine: Machine, dram: NDArray[np.uint8]) -> None:
        self.machine = machine
        small = PARAMETERS_BYTES, machine.constants_bytes, TABLE_BYTES
        sizes = machine.scratchpad_bytes, machine.stationary_bytes, *small
        chip = [unwritten(size, seed) for seed, size in enumerate(sizes)]
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
                ADDRESS, f"{extent} are not all inside the {NAMES[space]} of {memory.size:#x} bytes"
            )
        return np.ndarray(shape, dtype, memory.data, address, steps)
