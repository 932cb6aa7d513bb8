"""The instruction SHIFTMAX."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Value

from intarsia.arch.isa import Shiftmax
from intarsia.arch.machine import Machine
from intarsia.hw.engines.row_engine import RowEngine, outside
from intarsia.hw.units.registry import unit_and_lanes
from intarsia.model.integer.constants import MAX_I0


class ShiftmaxEngine(RowEngine):
    """SHIFTMAX: int8 to int16, or to int8."""

    elements = (1, 2)

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Shiftmax, *unit_and_lanes("shiftmax", machine))

    def element(self) -> Any:
        return Mux(self.field("out8"), 1, 2)

    def command(self, m: Module, command: Any) -> None:
        super().command(m, command)
        m.d.comb += [
            command.i0.eq(self.parameter(0, 32)),
            command.n.eq(self.parameter(4, 8)),
            command.reciprocal_bits.eq(self.parameter(5, 8)),
            command.narrow.eq(self.field("out8")),
        ]

    def faults(self) -> list[Value]:
        return [
            self.field("length") > self.machine.row_length,
            ~self.field("out8") & (self.field("source") == self.field("target")),
        ]

    def parameter_faults(self) -> list[Value]:
        return [
            outside(self.parameter(0, 32), 1, MAX_I0),
            outside(self.parameter(4, 8), 1, 31),
            outside(self.parameter(5, 8), 15, 46),
        ]
