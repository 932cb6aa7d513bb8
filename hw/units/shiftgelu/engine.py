"""The instruction GELU."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Const, Module, Value

from intarsia.arch.isa import Gelu
from intarsia.arch.machine import Machine
from intarsia.hw.engines.row_engine import RowEngine, outside
from intarsia.hw.units.registry import unit_and_lanes
from intarsia.model.integer.constants import GELU_FORMS, MAX_I0, MAX_SHIFT


class GeluEngine(RowEngine):
    """GELU: int8 to int8, in one of three forms."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Gelu, *unit_and_lanes("shiftgelu", machine))

    def command(self, m: Module, command: Any) -> None:
        super().command(m, command)
        form = self.parameter(5, 2)
        settings = Array(
            Const(value.n | (value.lam or 0) << 8, 24)
            for value in (*GELU_FORMS.values(), GELU_FORMS["shift"])
        )[form]
        forms = list(GELU_FORMS)
        m.d.comb += [
            command.i0.eq(self.parameter(8, 32)),
            command.n.eq(settings[:8]),
            command.lam.eq(settings[8:]),
            command.scaled.eq(form == forms.index("lambda-shift")),
            command.element.eq(form == forms.index("lambda-shift-elem")),
            command.b.eq(self.parameter(0, 32)),
            command.c.eq(self.parameter(4, 8)),
        ]

    def faults(self) -> list[Value]:
        return [self.field("length") > self.machine.row_length]

    def parameter_faults(self) -> list[Value]:
        return [
            self.parameter(4, 8) > MAX_SHIFT,
            self.parameter(5, 8) >= len(GELU_FORMS),
            outside(self.parameter(8, 32), 1, MAX_I0),
        ]
