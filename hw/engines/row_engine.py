"""Runs a row instruction: reads its matrices, feeds the unit, writes what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, cast

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import Instruction, Space
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.isa.operand import Element
from intarsia.arch.machine import Machine
from intarsia.hw.engines.rows import RowReader, RowWriter
from intarsia.hw.interfaces.instruction import (
    ILLEGAL_FIELD,
    INSTRUCTION_BITS,
    alignment_faults,
    element_bytes,
    field,
    is_kind,
    limit_faults,
    scalar,
    scalar_faults,
)
from intarsia.hw.interfaces.ports import LINE_BYTES, Shape, read_port, write_port
from intarsia.hw.memory.parameter_memory import INDEX_BITS, PARAMETER_BITS
from intarsia.hw.sequencer.sequencer import PORT

LAUNCH = 2
"""Cycle of an instruction, from 0, in which its matrices have been measured: readers and writer start."""
COMMAND = 7
"""Cycle in which the unit is given its command: its first beat waits, and the parameter word is here."""


@dataclass(frozen=True)
class Operand:
    """A source: the input of the unit that it feeds, its fields, bytes per element."""

    stream: str
    address: str
    stride: str
    element: int


@dataclass(frozen=True)
class Walk:
    """A matrix in memory, as `RowReader` and `RowWriter` want it."""

    origin: Any
    row_step: Any
    beat_step: Any
    rows: Any
    beats: Any
    full: Any
    rest: Any


class RowEngine(wiring.Component):
    """An instruction of a row unit, from its start to its last write.

    Parameters
    ----------
    machine : its scratchpad
    kind : the instruction
    unit : with streams `command`, one per operand, and `o`
    lanes : elements per beat

    Members
    -------
    port : In(PORT), from the sequencer; instructions of other kinds are left alone
    read0, read1... : Out(read_port) per operand;  write : Out(write_port), the target
    param_index : Out(8), param : In(128), the parameter word, from cycle COMMAND on at the latest

    Timing: with the unit's own cycles, ISSUE + ACCESS more (`arch.duration`).
    """

    def __init__(
        self, machine: Machine, kind: type[Instruction], unit: Any, lanes: int, **members: Any
    ) -> None:
        self.machine, self.kind, self.unit, self.lanes = machine, kind, unit, lanes
        self.record = kind.parameter()
        self.operands = _sources(kind)
        (target,) = (one for one in kind.operands if one.write)
        self.result = cast(Element, target.element)
        # The instruction comes out of a block memory, late; here it is from its second cycle on.
        self.held = Signal(INSTRUCTION_BITS)
        shapes = map(self.source_shape, self.operands)
        reads = {f"read{k}": Out(read_port(shape)) for k, shape in enumerate(shapes)}
        param = {"param_index": Out(INDEX_BITS), "param": In(PARAMETER_BITS)} if self.record else {}
        write = {"write": Out(write_port(self.target_shape()))}
        super().__init__({"port": In(PORT), **reads, **write, **param, **members})

    def command(self, m: Module, command: Any) -> None:
        """Assigns the fields of the unit's command: by default what of the instruction's fields and of the
        parameter word's scalars has their names."""
        wanted = command.shape().members
        fields = [one.name for one in fields_of(self.kind) if one.name in wanted]
        scalars = [one.name for one in (self.record.scalars if self.record else ()) if one.name in wanted]
        m.d.comb += [command[name].eq(self.field(name)) for name in fields]
        m.d.comb += [command[name].eq(self.parameter(name)) for name in scalars]

    @property
    def elements(self) -> tuple[int, ...]:
        """Bytes of an element of the target, in all of its modes."""
        return self.result.sizes

    def element(self) -> Any:
        """Bytes of an element of the target."""
        return element_bytes(self.held, self.kind, self.result)

    def measure(self, m: Module) -> None:
        """Beats of a row and elements of its last one, from LAUNCH on."""
        shift = self.lanes.bit_length() - 1
        length = self.field("length")
        self.beats, self.rest = Signal(17), Signal(range(self.lanes + 1))
        m.d.sync += [
            self.beats.eq((length + (self.lanes - 1)) >> shift),
            self.rest.eq(((length - 1) & (self.lanes - 1)) + 1),
        ]

    def source(self, operand: Operand) -> Walk:
        return self.walk(operand.address, operand.stride, operand.element)

    def target(self) -> Walk:
        return self.walk("target", "target_stride", self.element())

    def source_bytes(self, operand: Operand) -> tuple[int, int]:
        """Of a beat, at most, and the greatest power of two up to a line that divides all addresses."""
        return operand.element * self.lanes, min(operand.element * self.lanes, LINE_BYTES)

    def target_bytes(self) -> tuple[int, int]:
        """As of a source."""
        return max(self.elements) * self.lanes, min(min(self.elements) * self.lanes, LINE_BYTES)

    def source_shape(self, operand: Operand) -> Shape:
        """Of the port that reads it."""
        size, alignment = self.source_bytes(operand)
        return Shape.of(size, alignment)

    def target_shape(self) -> Shape:
        """Of the port that writes it."""
        size, alignment = self.target_bytes()
        return Shape.of(size, alignment)

    def walk(self, address: str, stride: str, element: Any) -> Walk:
        """Rows of the instruction's length."""
        beat, rest = element * self.lanes, self.rest * element
        origin, rows = self.field(address), self.field("rows")
        return Walk(origin, self.field(stride), beat, rows, self.beats, beat, rest)

    def feed(self, m: Module, operand: Operand, reader: RowReader) -> None:
        """Connects a reader to the unit."""
        stream = getattr(self.unit, operand.stream)
        m.d.comb += [
            Value.cast(stream.payload).eq(reader.o.payload),
            stream.valid.eq(reader.o.valid),
            reader.o.ready.eq(stream.ready),
        ]

    def field(self, name: str) -> Any:
        return field(self.held, self.kind, name)

    def parameter(self, name: str) -> Any:
        """A scalar of the parameter word."""
        assert self.record is not None
        return scalar(self.param, self.record, name)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = self.unit
        m.d.sync += self.held.eq(self.port.instruction)
        # 0 while idle, else the cycle of the instruction, up to the one after COMMAND.
        self.age = age = Signal(range(COMMAND + 2))
        with m.If(self.port.start & is_kind(self.port.instruction, self.kind)):
            m.d.sync += age.eq(1)
        with m.Elif(self.port.finishing):
            m.d.sync += age.eq(0)
        with m.Elif((age != 0) & (age != COMMAND + 1)):
            m.d.sync += age.eq(age + 1)
        self.measure(m)
        errors = [self._read(m, number, operand) for number, operand in enumerate(self.operands)]
        errors.append(self._write(m))
        m.d.comb += self.unit.command.valid.eq(age == COMMAND)
        self.command(m, self.unit.command.payload)
        if self.record:
            m.d.comb += self.param_index.eq(field(self.port.instruction, self.kind, "param"))
        faults = alignment_faults(self.held, self.kind)
        faults += limit_faults(self.held, self.kind, self.machine)
        late_faults = scalar_faults(self.param, self.record) if self.record else []
        illegal = Cat(faults).any() & (age == LAUNCH) | Cat(late_faults).any() & (age == COMMAND)
        code = Mux(illegal, ILLEGAL_FIELD, reduce(or_, errors))
        m.d.comb += self.port.error.eq(Mux(age != 0, code, Const(0, 8)))
        return m

    def _read(self, m: Module, number: int, operand: Operand) -> Value:
        size, alignment = self.source_bytes(operand)
        reader = RowReader(self.source_shape(operand), size=size, alignment=alignment)
        m.submodules[f"reader{number}"] = reader
        self._start(m, reader, self.source(operand))
        self.feed(m, operand, reader)
        wiring.connect(m, reader.port, wiring.flipped(getattr(self, f"read{number}")))
        return reader.error

    def _write(self, m: Module) -> Value:
        size, alignment = self.target_bytes()
        m.submodules.writer = writer = RowWriter(self.target_shape(), size=size, alignment=alignment)
        self._start(m, writer, self.target())
        m.d.comb += [
            writer.i.payload.eq(self.results()),
            writer.i.valid.eq(self.unit.o.valid),
            self.unit.o.ready.eq(writer.i.ready),
            self.port.finishing.eq(writer.done),
        ]
        wiring.connect(m, writer.port, wiring.flipped(self.write))
        return writer.error

    def _start(self, m: Module, walker: Any, walk: Walk) -> None:
        m.d.comb += walker.start.eq(self.age == LAUNCH)
        m.d.comb += [getattr(walker, name).eq(value) for name, value in vars(walk).items()]

    def results(self) -> Value:
        """The bytes of a beat of results: lanes as they are, or their low bytes."""
        wide = Value.cast(self.unit.o.payload)
        narrow = Cat(wide.word_select(k, 16)[:8] for k in range(len(wide) // 16))
        if self.elements == (1,):
            return narrow
        return wide if self.elements == (2,) else Mux(self.element() == 2, wide, narrow)


def _sources(kind: type[Instruction]) -> tuple[Operand, ...]:
    """The matrices that an instruction reads: the first goes to the stream `i`, another to its own."""
    found = [one for one in kind.operands if one.space is Space.SCRATCHPAD and not one.write]
    return tuple(
        Operand(one.name if k else "i", one.name, one.stride, max(cast(Element, one.element).sizes))
        for k, one in enumerate(found)
    )
