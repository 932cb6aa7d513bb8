"""The instruction LAYERNORM."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from intarsia.arch.isa import Layernorm
from intarsia.arch.isa.layernorm import CHANNEL
from intarsia.arch.machine import ENTRY_BYTES, Machine
from intarsia.hw.engines.row_engine import LAUNCH, RowEngine
from intarsia.hw.engines.rows import RowReader
from intarsia.hw.interfaces.instruction import ILLEGAL_FIELD, scalar, scalar_faults
from intarsia.hw.interfaces.ports import LINE_BYTES, Shape, read_port
from intarsia.hw.units.registry import unit_and_lanes


class LayernormEngine(RowEngine):
    """LAYERNORM: int16 to int8, or to int16; b and B come from a slot of the row constants."""

    def __init__(self, machine: Machine) -> None:
        unit, lanes = unit_and_lanes("layernorm", machine)
        self.constants_shape = Shape.of(ENTRY_BYTES * lanes, entry_alignment(lanes))
        constants = Out(read_port(self.constants_shape))
        super().__init__(machine, Layernorm, unit, lanes, constants=constants)

    def command(self, m: Module, command: Any) -> None:
        super().command(m, command)
        m.d.comb += command.wide.eq(self.field("out16"))

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
            m.d.comb += [
                beat.b[lane].eq(scalar(entry, CHANNEL, "b")),
                beat.offset[lane].eq(scalar(entry, CHANNEL, "B")),
            ]
            counts = ~reader.last | (lane < self.rest)
            large += [counts & fault for fault in scalar_faults(entry, CHANNEL)]
        with m.If((self.age != 0) & reader.o.valid & Cat(large).any()):
            m.d.comb += self.port.error.eq(ILLEGAL_FIELD)
        return m


def entry_alignment(lanes: int) -> int:
    """Of the constants of `lanes` channels, up to a line."""
    size = ENTRY_BYTES * lanes
    return min(size & -size, LINE_BYTES)
