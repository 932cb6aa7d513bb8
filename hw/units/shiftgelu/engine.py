"""The instruction GELU."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Const, Module

from intarsia.arch.isa import Gelu
from intarsia.arch.machine import Machine
from intarsia.hw.engines.row_engine import RowEngine
from intarsia.hw.units.registry import unit_and_lanes
from intarsia.model.integer.constants import GELU_FORMS


class GeluEngine(RowEngine):
    """GELU: int8 to int8, in one of three forms."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Gelu, *unit_and_lanes("shiftgelu", machine))

    def command(self, m: Module, command: Any) -> None:
        super().command(m, command)
        form = self.parameter("form")[:2]
        settings = Array(
            Const(value.n | (value.lam or 0) << 8, 24)
            for value in (*GELU_FORMS.values(), GELU_FORMS["shift"])
        )[form]
        forms = list(GELU_FORMS)
        m.d.comb += [
            command.n.eq(settings[:8]),
            command.lam.eq(settings[8:]),
            command.scaled.eq(form == forms.index("lambda-shift")),
            command.element.eq(form == forms.index("lambda-shift-elem")),
        ]
