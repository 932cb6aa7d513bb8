"""EXPAND."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from intarsia.arch.duration import ceil_div
from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Unit
from intarsia.arch.isa.instruction import Cost, RowInstruction
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.operand import Element, When, matrix
from intarsia.arch.machine import Machine

EXPAND_PIPELINE = 7
LABEL = Element("uint8", "wide", "uint16")


@dataclass(frozen=True, slots=True)
class Expand(RowInstruction):
    """Labels [rows, length] to [rows, length * factor], each repeated; uint16 when `wide`."""

    source: Annotated[int, field.address(1)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    source_stride: Annotated[int, field.stride(5, 0)]
    target_stride: Annotated[int, field.stride(5, 16)]
    factor: Annotated[int, field.count(6, 0)]
    wide: Annotated[bool, field.flag(0)] = False

    opcode: ClassVar = 11
    queue: ClassVar = Unit.ELEMENTWISE
    operands: ClassVar = (
        matrix("source", LABEL, aligned=False),
        matrix("target", LABEL, columns=("length", "factor"), write=True),
    )
    limits: ClassVar = (Limit("factor", low=2, when=When("wide")),)
    costs: ClassVar = (Cost("expand", 0, 0, ("rows", "length", "factor")),)
    lanes_key: ClassVar = "elementwise_lanes"

    @staticmethod
    def unit_cycles(rows: int, wide_beats: int) -> int:
        """As many passes as labels leave."""
        return rows * wide_beats + EXPAND_PIPELINE

    def quantities(self, machine: Machine) -> tuple[int, ...]:
        """Rows, and beats of each that leave."""
        return self.rows, ceil_div(self.length * self.factor, self.lanes(machine))

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        return np.repeat(of["source"], self.factor, axis=1)
