"""Runs MATMUL: two operands to the array, its accumulators through the requantizer to memory."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from intarsia.arch.isa import Layout, Matmul
from intarsia.arch.isa.matmul import WORD
from intarsia.arch.machine import Machine
from intarsia.hw.engines.row_engine import COMMAND, LAUNCH
from intarsia.hw.engines.rows import RowWriter
from intarsia.hw.interfaces.instruction import (
    ILLEGAL_FIELD,
    INSTRUCTION_BITS,
    alignment_faults,
    field,
    limit_faults,
    scalar_faults,
)
from intarsia.hw.interfaces.ports import LINE_BYTES, Shape, write_port
from intarsia.hw.memory.parameter_memory import INDEX_BITS, PARAMETER_BITS
from intarsia.hw.sequencer.sequencer import PORT
from intarsia.hw.units.matmul.operands import Constants, XReader, YReader
from intarsia.hw.units.registry import make_unit


class MatmulEngine(wiring.Component):
    """MATMUL, from its start to its last write.

    Parameters
    ----------
    machine : array, scratchpad, stationary buffer

    Members
    -------
    port : In(PORT), from the sequencer
    x, y : Out(read_port), of the scratchpad;  write : Out(write_port), the target
    packed : Out(read_port), of the stationary buffer, tiles;  constants : Out(read_port), likewise, what
        stands in front of the tiles of an output
    param_index : Out(8), param : In(128), the parameter word, from cycle COMMAND on at the latest

    Timing: `arch.isa.Matmul.cycles`. The array's rows leave while it goes on, a row per cycle, through the
    requantizer to the scratchpad; nothing ever stands still, for reading keeps ahead.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.held = Signal(INSTRUCTION_BITS)  # from its second cycle on, as in `RowEngine`
        self.array, self.requantizer = make_unit("mac_array", machine), make_unit("requantize", machine)
        streams = self.array.core.input_shapes
        self.x_reader, self.y_reader = XReader(machine, streams["x"]), YReader(machine, streams["y"])
        self.constants_reader = Constants(machine, self.requantizer.core.command_shape)
        self.target_shape = Shape.of(2 * machine.lanes, min(machine.lanes, LINE_BYTES))
        super().__init__(
            {
                "port": In(PORT),
                "x": self.x_reader.signature.members["port"],
                "y": self.y_reader.signature.members["port"],
                "packed": self.y_reader.signature.members["packed"],
                "constants": self.constants_reader.signature.members["port"],
                "write": Out(write_port(self.target_shape)),
                "param_index": Out(INDEX_BITS),
                "param": In(PARAMETER_BITS),
            }
        )

    def field(self, name: str) -> Any:
        return field(self.held, Matmul, name)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        machine = self.machine
        m.d.sync += self.held.eq(self.port.instruction)
        age = Signal(range(COMMAND + 2))
        with m.If(self.port.start):
            m.d.sync += age.eq(1)
        with m.Elif(self.port.finishing):
            m.d.sync += age.eq(0)
        with m.Elif((age != 0) & (age != COMMAND + 1)):
            m.d.sync += age.eq(age + 1)
        launch = age == LAUNCH
        # Tiles of outputs and of inputs, and what the last of them holds, from LAUNCH on.
        outer, inner = Signal(16), Signal(16)
        outputs, inputs = Signal(range(machine.lanes + 1)), Signal(range(machine.depth + 1))
        for count, rest, name, size in (
            (outer, outputs, "n", machine.lanes),
            (inner, inputs, "k", machine.depth),
        ):
            length = self.field(name)
            m.d.sync += [
                count.eq((length + (size - 1)) >> exact_log2(size)),
                rest.eq(((length - 1) & (size - 1)) + 1),
            ]

        m.submodules.array, m.submodules.requantizer = array, requantizer = self.array, self.requantizer
        m.submodules.x_reader, m.submodules.y_reader = x, y = self.x_reader, self.y_reader
        m.submodules.constants_reader = constants = self.constants_reader
        for reader in (x, y, constants):
            m.d.comb += [
                reader.instruction.eq(self.held),
                reader.launch.eq(launch),
                reader.outer.eq(outer),
                reader.inner.eq(inner),
                reader.outputs.eq(outputs),
                reader.inputs.eq(inputs),
            ]
        wiring.connect(m, x.port, wiring.flipped(self.x))
        wiring.connect(m, y.port, wiring.flipped(self.y))
        wiring.connect(m, y.packed, wiring.flipped(self.packed))
        wiring.connect(m, constants.port, wiring.flipped(self.constants))
        wiring.connect(m, x.o, array.x)
        wiring.connect(m, y.o, array.y)
        wiring.connect(m, constants.o, requantizer.command)
        wiring.connect(m, array.o, requantizer.i)
        command = array.command.payload
        m.d.comb += [
            self.param_index.eq(field(self.port.instruction, Matmul, "param")),
            constants.param.eq(self.param),
            constants.param_here.eq(age >= COMMAND),
            array.command.valid.eq(age == COMMAND),
            command.rows.eq(self.field("m")),
            command.inner.eq(inner << self.field("x16")),
            command.outer.eq(outer),
            command.depth_major.eq(self.field("layout") == Layout.DEPTH_MAJOR),
            command.x16.eq(self.field("x16")),
        ]
        written = self._write(m, launch, requantizer, outer, outputs)
        packed = self.field("layout") == Layout.PACKED
        faults = [*limit_faults(self.held, Matmul, machine), *alignment_faults(self.held, Matmul)]
        too_far = ~packed & reduce(or_, scalar_faults(self.param, WORD))
        code = Mux(
            Cat(faults).any() & launch | too_far & (age == COMMAND),
            ILLEGAL_FIELD,
            reduce(or_, (x.error, y.error, constants.error, written)),
        )
        m.d.comb += self.port.error.eq(Mux(age != 0, code, Const(0, 8)))
        return m

    def _write(self, m: Module, launch: Value, requantizer: Any, outer: Value, outputs: Value) -> Value:
        """Writes the columns of an output after each other; a beat is a row of them."""
        lanes = self.machine.lanes
        m.submodules.writer = writer = RowWriter(
            self.target_shape, size=2 * lanes, alignment=min(lanes, LINE_BYTES), by_column=True
        )
        wide = self.field("out16")
        results = Value.cast(requantizer.o.payload)
        narrow = Cat(results.word_select(k, 16)[:8] for k in range(lanes))
        m.d.comb += [
            writer.start.eq(launch),
            writer.origin.eq(self.field("out")),
            writer.beat_step.eq(self.field("out_stride")),
            writer.row_step.eq(Mux(wide, 2 * lanes, lanes)),
            writer.beats.eq(self.field("m")),
            writer.rows.eq(outer),
            writer.full.eq(Mux(wide, 2 * lanes, lanes)),
            writer.rest.eq(Mux(wide, 2 * outputs, outputs)),
            writer.i.payload.eq(Mux(wide, results, narrow)),
            writer.i.valid.eq(requantizer.o.valid),
            requantizer.o.ready.eq(writer.i.ready),
            self.port.finishing.eq(writer.done),
        ]
        wiring.connect(m, writer.port, wiring.flipped(self.write))
        return writer.error
