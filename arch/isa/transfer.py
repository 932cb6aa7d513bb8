"""What LOAD and STORE have in common: pieces of bytes between DRAM and another memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.duration import ISSUE, bytes_per_cycle
from intarsia.arch.isa.enums import Space
from intarsia.arch.isa.instruction import Instruction
from intarsia.arch.isa.operand import BYTE, Operand
from intarsia.arch.machine import Machine


class Transfer(Instruction):
    """count1 * count2 pieces of `size` bytes."""

    __slots__ = ()
    dram: int
    size: int
    count1: int
    count2: int
    dram_stride1: int
    dram_stride2: int
    issue: ClassVar = ISSUE

    @staticmethod
    def unit_cycles(latency: int, words: int) -> int:
        return latency + words

    def quantities(self, machine: Machine) -> tuple[int, ...]:
        """The latency of the memory, and words of the bus."""
        return machine.memory_latency, self.bus_words(machine)

    @property
    def bytes(self) -> int:
        """Bytes that it moves."""
        return self.size * self.count1 * self.count2

    def bus_words(self, machine: Machine) -> int:
        """Words of the bus that its pieces touch: the cycles that their data take.

        A piece that does not begin at a word's border may touch one more than its bytes fill. The base
        register is a multiple of the port's width and does not matter.
        """
        width = bytes_per_cycle(machine)
        first = self.dram % width
        starts = np.add.outer(
            _offsets(self.dram_stride1, self.count1, width),
            _offsets(self.dram_stride2, self.count2, width),
        )
        pieces = np.multiply.outer(
            _repeats(self.dram_stride1, self.count1, width),
            _repeats(self.dram_stride2, self.count2, width),
        )
        words = ((first + starts) % width + self.size + width - 1) // width
        return int((words * pieces).sum())

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        (source,) = (one.name for one in self.operands if not one.write)
        return of[source]


def ends(*, load: bool, space: Space | str) -> tuple[Operand, ...]:
    """The pieces in DRAM and those in the memory on the chip."""
    loops: dict[str, Any] = {"columns": "size", "rows": "count1", "blocks": "count2"}
    dram = Operand(
        "dram", BYTE, stride="dram_stride1", block_stride="dram_stride2", space=Space.DRAM, based="based",
        write=not load, **loops,
    )  # fmt: skip
    chip = Operand(
        "address", BYTE, stride="stride1", block_stride="stride2", space=space, write=load, **loops
    )
    return dram, chip


def _period(stride: int, count: int, width: int) -> int:
    """How many pieces begin differently within a word before they repeat."""
    return min(count, width // math.gcd(stride, width))


def _offsets(stride: int, count: int, width: int) -> NDArray[np.int64]:
    return np.arange(_period(stride, count, width), dtype=np.int64) * stride % width


def _repeats(stride: int, count: int, width: int) -> NDArray[np.int64]:
    period = _period(stride, count, width)
    return (count - np.arange(period, dtype=np.int64) + period - 1) // period
