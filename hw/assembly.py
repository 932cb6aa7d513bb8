"""The engines of all units around the memories on the chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    Module,
    Mux,
    ResetInserter,
    ResetSignal,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import Space, Unit
from intarsia.arch.machine import Machine
from intarsia.hw.dma.load import LoadEngine
from intarsia.hw.dma.store import StoreEngine
from intarsia.hw.engines.row_engine import COMMAND
from intarsia.hw.interfaces.axi import bus_width, full_bus
from intarsia.hw.interfaces.ports import LINE_BYTES, shape_of, write_port
from intarsia.hw.interfaces.transfer import chip_shape
from intarsia.hw.lib.clock_gate import ClockGate
from intarsia.hw.memory.line_memory import LineMemory
from intarsia.hw.memory.parameter_memory import ParameterMemory
from intarsia.hw.memory.scratchpad import Scratchpad
from intarsia.hw.sequencer.fetch import PROGRAM_SPACE
from intarsia.hw.sequencer.sequencer import PORT
from intarsia.hw.units.elementwise.engine import Elementwise
from intarsia.hw.units.layernorm.engine import LayernormEngine
from intarsia.hw.units.matmul.engine import MatmulEngine
from intarsia.hw.units.shiftgelu.engine import GeluEngine
from intarsia.hw.units.shiftmax.engine import ShiftmaxEngine

MakeScratchpad = Callable[..., Scratchpad]
ROW_UNITS = (Unit.SHIFTMAX, Unit.LAYERNORM, Unit.GELU)


class Engines(wiring.Component):
    """Carries out the instructions of all units.

    Parameters
    ----------
    machine : the machine description
    scratchpad : makes the scratchpad; another one than `Scratchpad` must behave as it does
    clock_gates : what only one unit uses has a clock that stops while the unit is idle

    Members
    -------
    unit : In(PORT) per unit, busy : In(1) per unit, it holds an instruction: from the sequencer
    bus : Out(full_bus), the memory port
    stop : In(1), gives up what runs;  quiet : Out(1), the bus owes nothing
    moved : Out(1), a word crosses the memory port in this cycle
    program : Out(write_port), what the sequencer has LOAD's engine read for the program memories
    """

    def __init__(
        self, machine: Machine, scratchpad: MakeScratchpad = Scratchpad, *, clock_gates: bool = False
    ) -> None:
        self.machine, self.make_scratchpad, self.clock_gates = machine, scratchpad, clock_gates
        super().__init__(
            {
                "unit": In(PORT).array(len(Unit)),
                "busy": In(len(Unit)),
                "bus": Out(full_bus(bus_width(machine))),
                "stop": In(1),
                "quiet": Out(1),
                "moved": Out(1),
                "program": Out(write_port(chip_shape(bus_width(machine)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        machine, width = self.machine, bus_width(self.machine)
        load, store = LoadEngine(width=width), StoreEngine(width=width)
        array = MatmulEngine(machine)
        shiftmax, layernorm = ShiftmaxEngine(machine), LayernormEngine(machine)
        gelu, elementwise = GeluEngine(machine), Elementwise(machine)
        engines: dict[Unit, Any] = {
            Unit.LOAD: load,
            Unit.STORE: store,
            Unit.ARRAY: array,
            Unit.SHIFTMAX: shiftmax,
            Unit.LAYERNORM: layernorm,
            Unit.GELU: gelu,
            Unit.ELEMENTWISE: elementwise,
        }
        clocks = self._clocks(m)
        for unit, engine in engines.items():
            name = unit.name.lower()
            if unit in (Unit.LOAD, Unit.STORE):
                # What the memory port owes must still be taken; the others just forget.
                m.submodules[name] = engine
                m.d.comb += engine.stop.eq(self.stop)
            else:
                renamed = DomainRenamer({"sync": clocks[unit], "write": clocks[Unit.LOAD]})(engine)
                m.submodules[name] = ResetInserter({clocks[unit]: self.stop})(renamed)
            wiring.connect(m, wiring.flipped(self.unit[unit]), engine.port)
        wiring.connect(m, load.bus.ar, wiring.flipped(self.bus.ar))
        wiring.connect(m, wiring.flipped(self.bus.r), load.bus.r)
        wiring.connect(m, store.bus.aw, wiring.flipped(self.bus.aw))
        wiring.connect(m, store.bus.w, wiring.flipped(self.bus.w))
        wiring.connect(m, wiring.flipped(self.bus.b), store.bus.b)
        m.d.comb += [self.quiet.eq(load.quiet & store.quiet), self.moved.eq(load.moved | store.moved)]

        readers: list[tuple[Unit, Any]] = [
            (Unit.STORE, store.memory),
            (Unit.ARRAY, array.x),
            (Unit.ARRAY, array.y),
            (Unit.ELEMENTWISE, elementwise.read0),
            (Unit.ELEMENTWISE, elementwise.read1),
            *((unit, engines[unit].read0) for unit in ROW_UNITS),
        ]
        writers = [(unit, engines[unit].write) for unit in (Unit.ARRAY, Unit.ELEMENTWISE, *ROW_UNITS)]

        def of_unit(unit: Unit) -> tuple[int, int]:
            """Its two read ports."""
            first, second = (k for k, (user, _) in enumerate(readers) if user is unit)
            return first, second

        users = [*(unit for unit, _ in readers), Unit.LOAD, *(unit for unit, _ in writers)]
        scratchpad = self.make_scratchpad(
            machine,
            reads=tuple(shape_of(reader) for _, reader in readers),
            writes=(chip_shape(width), *(shape_of(writer) for _, writer in writers)),
            domains=tuple(clocks[unit] for unit in users),
            apart=(of_unit(Unit.ARRAY), of_unit(Unit.ELEMENTWISE)),
        )
        m.d.comb += [
            scratchpad.begin0.eq(self.unit[Unit.ARRAY].start),
            scratchpad.begin1.eq(self.unit[Unit.ELEMENTWISE].start),
        ]
        m.submodules.scratchpad = scratchpad
        for port, (_, reader) in zip(scratchpad.read, readers, strict=True):
            wiring.connect(m, reader, port)
        for port, (_, writer) in zip(scratchpad.write[1:], writers, strict=True):
            wiring.connect(m, writer, port)

        stationary = LineMemory(
            lines=machine.stationary_bytes // LINE_BYTES,
            write=chip_shape(width),
            reads=(shape_of(array.packed), shape_of(array.constants)),
        )
        wiring.connect(m, array.packed, stationary.read0)
        wiring.connect(m, array.constants, stationary.read1)
        constants = LineMemory(
            lines=machine.constants_bytes // LINE_BYTES,
            write=chip_shape(width),
            reads=(shape_of(layernorm.constants),),
        )
        wiring.connect(m, layernorm.constants, constants.read0)
        with_parameters: tuple[Any, ...] = (array, shiftmax, layernorm, gelu, elementwise)
        parameters = ParameterMemory(write=chip_shape(width), readers=len(with_parameters))
        assert ParameterMemory.latency(len(with_parameters)) <= COMMAND
        m.d.comb += parameters.ask.eq(Cat(engine.port.start for engine in with_parameters))
        for index, word, engine in zip(parameters.index, parameters.word, with_parameters, strict=True):
            m.d.comb += [index.eq(engine.param_index), engine.param.eq(word)]
        for name, memory, clock in (
            ("stationary", stationary, clocks[Unit.ARRAY]),
            ("constants", constants, clocks[Unit.LAYERNORM]),
            ("parameters", parameters, "sync"),
        ):
            m.submodules[name] = DomainRenamer({"sync": clock, "write": clocks[Unit.LOAD]})(memory)
        self._fill(
            m,
            load,
            {
                Space.SCRATCHPAD: scratchpad.write[0],
                Space.STATIONARY: stationary.write,
                Space.PARAMETERS: parameters.write,
                Space.CONSTANTS: constants.write,
                Space.TABLE: elementwise.table,
                PROGRAM_SPACE: self.program,
            },
        )
        return m

    def _clocks(self, m: Module) -> dict[Unit, str]:
        """By unit, the clock domain of its engine and ports; of LOAD and STORE, of the ports only."""
        if not self.clock_gates:
            return dict.fromkeys(Unit, "sync")
        clocks = {unit: unit.name.lower() for unit in Unit}
        for unit, name in clocks.items():
            m.submodules[f"{name}_gate"] = gate = ClockGate()
            m.domains += ClockDomain(name, local=True)
            m.d.comb += [
                gate.busy.eq(self.busy[unit] | self.stop),
                ClockSignal(name).eq(gate.clock),
                ResetSignal(name).eq(ResetSignal()),
            ]
        return clocks

    def _fill(self, m: Module, load: LoadEngine, memories: dict[int, Any]) -> None:
        """LOAD's writes go to the memory that it names."""
        for space, memory in memories.items():
            chosen = load.space == space
            m.d.comb += [
                memory.address.eq(load.memory.address),
                memory.data.eq(load.memory.data),
                memory.mask.eq(load.memory.mask),
                memory.enable.eq(Mux(chosen, load.memory.enable, 0)),
            ]
            with m.If(chosen):
                m.d.comb += load.memory.error.eq(memory.error)
