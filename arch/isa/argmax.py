"""ARGMAX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Unit
from intarsia.arch.isa.instruction import Cost, RowInstruction
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.operand import INT16, Element, Operand, matrix, unless
from intarsia.arch.machine import Machine

ARGMAX_PIPELINE = 8


@dataclass(frozen=True, slots=True)
class Argmax(RowInstruction):
    """int16 [rows, length] to one label per row, adjacent: uint8, or uint16 when `wide`."""

    source: Annotated[int, field.address(1)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    source_stride: Annotated[int, field.stride(5, 0)]
    wide: Annotated[bool, field.flag(0)] = False

    opcode: ClassVar = 10
    queue: ClassVar = Unit.ELEMENTWISE
    operands: ClassVar = (
        matrix("source", INT16),
        Operand("target", Element("uint8", "wide", "uint16"), "rows", write=True),
    )
    limits: ClassVar = (Limit("length", high=256, when=unless("wide")),)
    costs: ClassVar = (Cost("argmax", 1, 0, ("rows", "length"), "comparison"),)
    lanes_key: ClassVar = "elementwise_lanes"

    @staticmethod
    def unit_cycles(rows: int, beats: int) -> int:
        """One pass, one label per row."""
        return rows * beats + ARGMAX_PIPELINE

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        return np.argmax(of["source"], axis=1)
