"""The instruction SHIFTMAX."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module

from intarsia.arch.isa import Shiftmax
from intarsia.arch.machine import Machine
from intarsia.hw.engines.row_engine import RowEngine
from intarsia.hw.units.registry import unit_and_lanes


class ShiftmaxEngine(RowEngine):
    """SHIFTMAX: int8 to int16, or to int8."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Shiftmax, *unit_and_lanes("shiftmax", machine))

    def command(self, m: Module, command: Any) -> None:
        super().command(m, command)
        m.d.comb += command.narrow.eq(self.field("out8"))
