"""LOOKUP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Space, Unit
from intarsia.arch.isa.instruction import Cost, RowInstruction
from intarsia.arch.isa.operand import BYTE, INT8, Operand, matrix
from intarsia.arch.machine import TABLE_BYTES, Machine

LOOKUP_PIPELINE = 3
CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Lookup(RowInstruction):
    """uint8 pixels [rows, length] to int8 through the table of their channel."""

    source: Annotated[int, field.address(1)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    source_stride: Annotated[int, field.stride(5, 0)]
    target_stride: Annotated[int, field.stride(5, 16)]

    opcode: ClassVar = 9
    queue: ClassVar = Unit.ELEMENTWISE
    operands: ClassVar = (
        matrix("source", BYTE),
        Operand("table", INT8, TABLE_BYTES, space=Space.TABLE, address=0, moved=("rows", "length")),
        matrix("target", INT8, write=True),
    )
    in_place: ClassVar = True
    costs: ClassVar = (Cost("lookup", 0, 0, ("rows", "length")),)
    lanes_key: ClassVar = "elementwise_lanes"

    @staticmethod
    def unit_cycles(rows: int, beats: int) -> int:
        """One pass."""
        return rows * beats + LOOKUP_PIPELINE

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        table = of["table"].reshape(CHANNELS, -1)
        return table[np.arange(self.length) % CHANNELS, of["source"]]
