"""The elementwise unit: RESIDUAL, LOOKUP, ARGMAX, EXPAND."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from intarsia.arch.isa import Argmax, Expand, Lookup, Residual
from intarsia.arch.machine import Machine
from intarsia.hw.engines.row_engine import Operand, RowEngine, Walk
from intarsia.hw.engines.rows import RowReader
from intarsia.hw.interfaces.axi import bus_width
from intarsia.hw.interfaces.instruction import is_kind
from intarsia.hw.interfaces.ports import LINE_BYTES, Shape, write_port
from intarsia.hw.interfaces.transfer import chip_shape
from intarsia.hw.units.lookup import core as lookup
from intarsia.hw.units.registry import make_unit


class ElementwiseEngine(RowEngine):
    """The four share their ports, but for RESIDUAL's second operand: 16-bit elements from multiples of
    their beats on, and labels from anywhere on."""

    @property
    def halved(self) -> bool:
        """A beat of 16-bit labels touches more lines than the scratchpad has columns."""
        return Shape.of(2 * self.lanes, 1).lines > self.machine.word // LINE_BYTES

    def source_shape(self, operand: Operand) -> Shape:
        beat = Shape.of(2 * self.lanes, min(2 * self.lanes, LINE_BYTES))
        if operand.stream == "identity":
            return beat
        return beat | Shape.of(self.lanes if self.halved else 2 * self.lanes, 1)

    def target_shape(self) -> Shape:
        return Shape.of(2 * self.lanes, min(2 * self.lanes, LINE_BYTES)) | Shape.of(2, 1)


class ResidualEngine(ElementwiseEngine):
    """RESIDUAL: two int16 to int16."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Residual, make_unit("residual", machine), Residual.lanes(machine))


class LookupEngine(ElementwiseEngine):
    """LOOKUP: uint8 pixels to int8; the table is filled through `table`."""

    def __init__(self, machine: Machine) -> None:
        lanes, filled = Lookup.lanes(machine), chip_shape(bus_width(machine))
        unit = lookup.Lookup(lanes=lanes, filled=filled)
        super().__init__(machine, Lookup, unit, lanes, table=In(write_port(filled)))

    def command(self, m: Module, command: Any) -> None:
        m.d.comb += [command.rows.eq(self.field("rows")), command.beats.eq(self.beats)]

    def results(self) -> Value:
        return Value.cast(self.unit.o.payload)

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        wiring.connect(m, wiring.flipped(self.table), self.unit.table)
        return m


class ArgmaxEngine(ElementwiseEngine):
    """ARGMAX: int16 rows to a label each; labels are adjacent and begin anywhere."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Argmax, make_unit("argmax", machine), Argmax.lanes(machine))

    def target_bytes(self) -> tuple[int, int]:
        return max(self.elements), 1

    def target(self) -> Walk:
        """One row, of a beat per label."""
        element = self.element()
        return Walk(self.field("target"), 0, element, 1, self.field("rows"), element, element)


class ExpandEngine(ElementwiseEngine):
    """EXPAND: labels along a row, each `factor` times; sources begin anywhere.

    A beat that is `halved` is read in two halves, which costs no time, for every beat makes `factor` beats
    of results, and that is at least 2.
    """

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Expand, make_unit("expand", machine), Expand.lanes(machine))

    def measure(self, m: Module) -> None:
        super().measure(m)
        shift = self.lanes.bit_length() - 1
        total = Signal(32)
        self.wide_beats, self.wide_rest = Signal(32), Signal(range(self.lanes + 1))
        m.d.comb += total.eq(self.field("length") * self.field("factor"))
        m.d.sync += [
            self.wide_beats.eq((total + (self.lanes - 1)) >> shift),
            self.wide_rest.eq(((total - 1) & (self.lanes - 1)) + 1),
        ]

    def target(self) -> Walk:
        element = self.element()
        beat, rest = element * self.lanes, self.wide_rest * element
        stride, rows = self.field("target_stride"), self.field("rows")
        return Walk(self.field("target"), stride, beat, rows, self.wide_beats, beat, rest)

    def source_bytes(self, operand: Operand) -> tuple[int, int]:
        return self.lanes * (1 if self.halved else 2), 1

    def source(self, operand: Operand) -> Walk:
        walk = self.walk(operand.address, operand.stride, self.element())
        if not self.halved:
            return walk
        # Half beats of 16-bit labels, beats of 8-bit ones: as many bytes.
        wide, half = self.field("wide"), self.lanes // 2
        low = self.rest <= half
        beats = Mux(wide, (walk.beats << 1) - low, walk.beats)
        rest = Mux(wide, 2 * Mux(low, self.rest, self.rest - half), self.rest)
        return replace(walk, beat_step=self.lanes, beats=beats, full=self.lanes, rest=rest)

    def feed(self, m: Module, operand: Operand, reader: RowReader) -> None:
        stream, beat, wide = self.unit.i, reader.o.payload, self.field("wide")
        narrow = Cat(Cat(beat.word_select(k, 8), Const(0, 8)) for k in range(self.lanes))
        if not self.halved:
            m.d.comb += [
                Value.cast(stream.payload).eq(Mux(wide, beat, narrow)),
                stream.valid.eq(reader.o.valid),
                reader.o.ready.eq(stream.ready),
            ]
            return
        low, held = Signal.like(beat), Signal()
        holds = wide & ~held & ~reader.last
        m.d.comb += [
            Value.cast(stream.payload).eq(Mux(wide, Mux(held, Cat(low, beat), beat), narrow)),
            stream.valid.eq(reader.o.valid & ~holds),
            reader.o.ready.eq(stream.ready | holds),
        ]
        with m.If(reader.o.valid & reader.o.ready):
            m.d.sync += [low.eq(beat), held.eq(holds)]


class Elementwise(wiring.Component):
    """The engines of the elementwise unit behind one set of ports: one runs at a time.

    Members
    -------
    port, read0, read1, write, param_index, param : as of `RowEngine`;  table : as of `LookupEngine`
    """

    def __init__(self, machine: Machine) -> None:
        self.residual, self.lookup = residual, lookup = ResidualEngine(machine), LookupEngine(machine)
        self.engines = (residual, lookup, ArgmaxEngine(machine), ExpandEngine(machine))
        own, table = residual.signature.members, lookup.signature.members["table"]
        shared = ("port", "read0", "read1", "write", "param_index", "param")
        super().__init__({**{name: own[name] for name in shared}, "table": table})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        residual, lookup = self.residual, self.lookup
        for engine in self.engines:
            m.submodules[engine.kind.__name__.lower()] = engine
            # Its ports are used some cycles after the instruction came, if at all.
            own = Signal(name=engine.kind.__name__.lower())
            m.d.sync += own.eq(is_kind(self.port.instruction, engine.kind))
            m.d.comb += [
                engine.port.instruction.eq(self.port.instruction),
                engine.port.start.eq(self.port.start),
                engine.port.base.eq(self.port.base),
                engine.read0.data.eq(self.read0.data),
                engine.read0.error.eq(self.read0.error),
                engine.write.error.eq(self.write.error),
            ]
            with m.If(own):
                m.d.comb += [
                    self.port.error.eq(engine.port.error),
                    self.read0.address.eq(engine.read0.address),
                    self.read0.enable.eq(engine.read0.enable),
                    self.write.address.eq(engine.write.address),
                    self.write.enable.eq(engine.write.enable),
                    self.write.mask.eq(engine.write.mask),
                    self.write.data.eq(engine.write.data),
                ]
        m.d.comb += [
            self.port.finishing.eq(Cat(engine.port.finishing for engine in self.engines).any()),
            self.param_index.eq(residual.param_index),
            residual.param.eq(self.param),
        ]
        wiring.connect(m, residual.read1, wiring.flipped(self.read1))
        wiring.connect(m, wiring.flipped(self.table), lookup.table)
        return m
