"""Random instructions that are legal by themselves, made from what instructions declare."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import INSTRUCTIONS, Instruction, Load, Matmul, Space, Unit
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.isa.layernorm import CHANNEL
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.matmul import OUTPUT
from intarsia.arch.isa.operand import Operand
from intarsia.arch.isa.record import Record, Scalar
from intarsia.arch.isa.transfer import Transfer
from intarsia.arch.machine import (
    PARAMETER_BYTES,
    PARAMETER_WORDS,
    PARAMETERS_BYTES,
    TABLE_BYTES,
    Machine,
)

LINE = 16
"""Bytes that matrices begin at multiples of."""
MOST_CYCLES = 2000
"""Of an instruction."""
SPARE_BYTES = 1 << 16
"""DRAM that random LOADs read and random STOREs write."""


def matrices(kind: type[Instruction]) -> tuple[str, ...]:
    """The operands of an instruction that may be in the scratchpad, by name."""
    held = (one for one in kind.operands if one.space not in set(Space) - {Space.SCRATCHPAD})
    return tuple(dict.fromkeys(one.name for one in held))


AREAS = {unit: max(len(matrices(kind)) for kind in INSTRUCTIONS if kind.queue is unit) for unit in Unit}
"""Parts of the scratchpad: an operand that is read while another one is, has one of its own."""


@dataclass
class Chip:
    """What the memories on the chip hold before random instructions, and which of it is spoken for."""

    machine: Machine
    rng: np.random.Generator
    spaces: dict[Space, NDArray[np.uint8]] = field(init=False)
    params: int = 0
    stationary: int = 0

    def __post_init__(self) -> None:
        sizes = {
            Space.SCRATCHPAD: self.machine.scratchpad_bytes,
            Space.STATIONARY: self.machine.stationary_bytes,
            Space.PARAMETERS: PARAMETERS_BYTES,
            Space.CONSTANTS: self.machine.constants_bytes,
            Space.TABLE: TABLE_BYTES,
        }
        self.spaces = {s: self.rng.integers(0, 256, size, dtype=np.uint8) for s, size in sizes.items()}
        self.fill(self.spaces[Space.CONSTANTS], CHANNEL)

    def scalars(self, scalar: Scalar, count: int = 1) -> NDArray[np.int64]:
        """Values of a scalar: seven in eight are usual ones."""
        low, high = scalar.usual or (scalar.low, scalar.high)
        usual = self.rng.integers(low, high, count, dtype=np.int64, endpoint=True)
        anywhere = self.rng.integers(scalar.low, scalar.high, count, dtype=np.int64, endpoint=True)
        return np.where(self.rng.integers(8, size=count) > 0, usual, anywhere)

    def fill(self, memory: NDArray[np.uint8], record: Record) -> None:
        """Records with random scalars, one after the other."""
        values = memory.view(record.dtype)
        for scalar in record.scalars:
            values[scalar.name] = self.scalars(scalar, len(values))

    def param(self, record: Record, **given: int) -> int:
        """The index of a new parameter word; scalars that are not given are random."""
        index = self.params
        self.params += 1
        if index >= PARAMETER_WORDS:
            raise ValueError(f"a program has at most {PARAMETER_WORDS} parameter words")
        values = {scalar.name: self.scalars(scalar)[0] for scalar in record.scalars}
        word = self.spaces[Space.PARAMETERS][PARAMETER_BYTES * index :][:PARAMETER_BYTES]
        word[:] = record.packed(**(values | given))
        return index

    def free(self) -> int:
        """Bytes of the stationary buffer that no product has."""
        return self.machine.stationary_bytes - self.stationary

    def packed(self, op: Instruction, operand: Operand) -> int:
        """Where packed weights with good constants are in the stationary buffer."""
        assert isinstance(op, Matmul)
        at, size = self.stationary, operand.access(op, self.machine).size
        heads = self.machine.lanes * OUTPUT.size
        tiles = self.spaces[Space.STATIONARY][at : at + size].reshape(-(-op.n // self.machine.lanes), -1)
        for tile in tiles:
            self.fill(tile[:heads], OUTPUT)
        self.stationary = min(_lines(at + size) + LINE * int(self.rng.integers(3)), at + self.free())
        return at


class Maker:
    """Random instructions of every unit, inside its areas of the scratchpad.

    spare: addresses in DRAM that LOADs read from and STOREs write to.
    """

    def __init__(self, chip: Chip, spare: tuple[int, int]) -> None:
        self.chip, self.machine, self.rng = chip, chip.machine, chip.rng
        self.spare_in, self.spare_out = spare
        total = sum(AREAS.values())
        self.area_bytes = size = self.machine.banks // total * self.machine.bank_bytes
        parts = [(k * size, (k + 1) * size) for k in range(total)]
        self.areas: dict[Unit, list[tuple[int, int]]] = {}
        for unit, count in AREAS.items():
            self.areas[unit], parts = parts[:count], parts[count:]

    def one(self, unit: Unit) -> Instruction | None:
        """An instruction of a unit, or None where memory for it is used up."""
        kinds = [kind for kind in INSTRUCTIONS if kind.queue is unit]
        return self.make(kinds[self.below(len(kinds))])

    def make(self, kind: type[Instruction]) -> Instruction | None:
        """An instruction of this kind, or None as in `one`."""
        if issubclass(kind, Transfer):
            return self._transfer(kind)
        op = self._sized(kind)
        return None if op is None else self._placed(op)

    def below(self, end: int) -> int:
        return int(self.rng.integers(end))

    def between(self, low: int, high: int) -> int:
        """low..high, small numbers more often."""
        span = high - low
        return low + min(int(self.rng.random() ** 2 * (span + 1)), span)

    def _sized(self, kind: type[Instruction]) -> Instruction | None:
        """With flags, entries and extents; its matrices are all at 0."""
        values: dict[str, Any] = {}
        counts = []
        for one in fields_of(kind):
            values[one.name] = one.low
            if one.low == 1 and not issubclass(one.type, IntEnum):
                counts.append(one.name)
            elif one.type is not int or one.entry:
                values[one.name] = one.type(one.low + self.below(one.high - one.low + 1))
        op = kind(**values)
        for limit in kind.limits:
            if isinstance(limit, Limit) and (limit.when is None or limit.when.holds(op)):
                low = max(getattr(op, limit.field), limit.low)
                op = replace(cast(Any, op), **{limit.field: low})
        if not self._fits(op):
            return None
        for name in self.rng.permutation(counts):
            op = self._grown(op, str(name))
        return op

    def _grown(self, op: Any, name: str) -> Any:
        """With another value of this extent, up to the largest that fits."""
        low = getattr(op, name)
        high = low + 1
        while self._fits(replace(op, **{name: high})):
            high *= 2
        good = high // 2 if high > low + 1 else low
        while high - good > 1:
            middle = (good + high) // 2
            good, high = (middle, high) if self._fits(replace(op, **{name: middle})) else (good, middle)
        return replace(op, **{name: self.between(low, good)})

    def _fits(self, op: Instruction) -> bool:
        """Whether its matrices fit their areas, packed weights what is free, and its time MOST_CYCLES."""
        if any(isinstance(limit, Limit) and limit.wrong(op, self.machine) for limit in op.limits):
            return False
        for one in op.present():
            if one.memory(op) is Space.SCRATCHPAD and sum(self._extent(op, one)) > self.area_bytes - LINE:
                return False
            if one.memory(op) is Space.STATIONARY and one.access(op, self.machine).size > self.chip.free():
                return False
        return op.cycles(self.machine) <= MOST_CYCLES

    def _extent(self, op: Instruction, operand: Operand) -> tuple[int, int]:
        """Bytes from the first row to the last where rows are as close as they may, and of the last."""
        access = operand.access(op, self.machine)
        return (access.count1 - 1) * _lines(access.size), access.size

    def _placed(self, op: Any) -> Instruction:
        """With addresses and strides of its matrices, its packed weights and its parameter word."""
        areas = iter(self._picked(op.queue))
        sources: list[Operand] = []
        for one in op.present():
            if one.space is Space.PARAMETERS:
                op = replace(op, param=self.chip.param(cast(Record, one.element)))
            elif one.space is Space.STATIONARY:
                op = replace(op, **{one.name: self.chip.packed(op, one)})
            elif one.space is Space.SCRATCHPAD:
                alike = [s for s in sources if s.element_bytes(op) == one.element_bytes(op)]
                if one.write and op.in_place and alike and self.below(3) == 0:
                    of = alike[self.below(len(alike))]
                    at, stride = getattr(op, of.name), getattr(op, of.stride)
                else:
                    at, stride = self._place(next(areas), op, one)
                sources.append(one)
                op = replace(op, **{one.name: at}, **({one.stride: stride} if one.stride else {}))
        return cast(Instruction, op)

    def _picked(self, unit: Unit) -> list[tuple[int, int]]:
        """The areas of a unit, in any order."""
        return [self.areas[unit][k] for k in self.rng.permutation(len(self.areas[unit]))]

    def _place(self, area: tuple[int, int], op: Instruction, operand: Operand) -> tuple[int, int]:
        """Address and stride of a matrix somewhere in an area."""
        access, align = operand.access(op, self.machine), LINE if operand.aligned else 1
        low, high = area
        rows, size = access.count1, access.size
        smallest = _lines(size)
        spare = (high - low - size) // max(rows - 1, 1) // LINE * LINE if rows > 1 else smallest + 4 * LINE
        stride = min(smallest + LINE * self.below(4), max(spare, smallest))
        room = high - low - (rows - 1) * stride - size
        return low + (self.below(room // align + 1) * align if room > 0 else 0), stride

    def _transfer(self, kind: type[Transfer]) -> Instruction:
        """LOADs go to the scratchpad; nothing says what order pieces have in either memory."""
        ((low, high),) = self.areas[cast(Unit, kind.queue)]
        size = self.between(1, min(300, high - low))
        count1, count2 = self.between(1, 5), self.between(1, 4)
        while True:
            inner, outer = self._strides(size, count1, count2)
            extent = size + (count1 - 1) * inner + (count2 - 1) * outer
            if extent <= high - low:
                break
            count1, count2 = max(1, count1 - 1), max(1, count2 - 1)
        away = self._strides(size, count1, count2)
        reach = size + (count1 - 1) * away[0] + (count2 - 1) * away[1]
        spare = self.spare_in if kind is Load else self.spare_out
        fields: dict[str, Any] = {
            "dram": spare + self.below(SPARE_BYTES // 2 - reach),
            "address": low + self.below(high - low - extent + 1),
            "size": size,
            "count1": count1,
            "count2": count2,
            "dram_stride1": away[0],
            "dram_stride2": away[1],
            "stride1": inner,
            "stride2": outer,
            "based": bool(self.below(2)),
        }
        return kind(**fields, **({"space": Space.SCRATCHPAD} if kind is Load else {}))

    def _strides(self, size: int, count1: int, count2: int) -> tuple[int, int]:
        """Of pieces that do not overlap, either loop the inner one in memory."""
        gap = self.between(0, 40)
        if self.below(2):
            inner = size + gap
            return inner, count1 * inner + self.below(20)
        outer = size + gap
        return count2 * outer + self.below(20), outer


def _lines(size: int) -> int:
    """Bytes of the lines that so many bytes fill."""
    return -(-size // LINE) * LINE
