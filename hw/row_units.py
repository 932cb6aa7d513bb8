"""The instructions of the row units: SHIFTMAX, LAYERNORM, GELU."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from emu.isa import Gelu, Layernorm, Shiftmax
from emu.machine import ENTRY_BYTES, Machine
from hw.instruction import ILLEGAL_FIELD
from hw.ports import LINE_BYTES, Shape, read_port
from hw.row_engine import LAUNCH, Operand, RowEngine
from hw.rows import RowReader
from hw.units import make_unit
from model.integer.constants import GELU_FORMS, MAX_BIAS, MAX_I0, MAX_SHIFT


def _unit(name: str, machine: Machine) -> tuple[Any, int]:
    unit = make_unit(name, machine)
    return unit, unit.core.lanes


def _outside(value: Any, low: int, high: int) -> Value:
    return (value < low) | (value > high)


class ShiftmaxEngine(RowEngine):
    """SHIFTMAX: int8 to int16, or to int8."""

    elements = (1, 2)

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Shiftmax, *_unit("shiftmax", machine))

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
            _outside(self.parameter(0, 32), 1, MAX_I0),
            _outside(self.parameter(4, 8), 1, 31),
            _outside(self.parameter(5, 8), 15, 46),
        ]


class GeluEngine(RowEngine):
    """GELU: int8 to int8, in one of three forms."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Gelu, *_unit("shiftgelu", machine))

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
            _outside(self.parameter(8, 32), 1, MAX_I0),
        ]


class LayernormEngine(RowEngine):
    """LAYERNORM: int16 to int8, or to int16; b and B come from a slot of the row constants."""

    operands = (Operand("i", "source", "source_stride", 2),)
    elements = (1, 2)

    def __init__(self, machine: Machine) -> None:
        unit, lanes = _unit("layernorm", machine)
        self.constants_shape = Shape.of(ENTRY_BYTES * lanes, entry_alignment(lanes))
        constants = Out(read_port(self.constants_shape))
        super().__init__(machine, Layernorm, unit, lanes, constants=constants)

    def element(self) -> Any:
        return Mux(self.field("out16"), 2, 1)

    def command(self, m: Module, command: Any) -> None:
        super().command(m, command)
        m.d.comb += [command.c.eq(self.parameter(4, 8)), command.wide.eq(self.field("out16"))]

    def faults(self) -> list[Value]:
        return [self.field("length") > self.machine.layernorm_length]

    def parameter_faults(self) -> list[Value]:
        return [self.parameter(4, 8) > MAX_SHIFT]

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        size = ENTRY_BYTES * self.lanes
        m.submodules.constants_reader = reader = RowReader(
            self.constants_shape, size=size, alignment=entry_alignment(self.lanes)
        )
        wiring.connect(m, reader.port, wiring.flipped(self.constants))
        beat = self.unit.constants.payload
        m.d.comb += [
            reader.start.eq(self.age == LAUNCH),
            reader.origin.eq(self.field("slot") * self.machine.slot_bytes),
            reader.row_step.eq(0),
            reader.beat_step.eq(size),
            reader.rows.eq(self.field("rows")),
            reader.beats.eq(self.beats),
            reader.full.eq(size),
            reader.rest.eq(self.rest * ENTRY_BYTES),
            self.unit.constants.valid.eq(reader.o.valid),
            reader.o.ready.eq(self.unit.constants.ready),
        ]
        large = []
        for lane in range(self.lanes):
            entry = reader.o.payload.word_select(lane, 8 * ENTRY_BYTES)
            offset = entry[32:].as_signed()
            m.d.comb += [beat.b[lane].eq(entry[:32]), beat.offset[lane].eq(offset)]
            counts = ~reader.last | (lane < self.rest)
            large.append(counts & _outside(offset, -MAX_BIAS, MAX_BIAS))
        with m.If((self.age != 0) & reader.o.valid & Cat(large).any()):
            m.d.comb += self.port.error.eq(ILLEGAL_FIELD)
        return m


def entry_alignment(lanes: int) -> int:
    """Of the constants of `lanes` channels, up to a line."""
    size = ENTRY_BYTES * lanes
    return min(size & -size, LINE_BYTES)
