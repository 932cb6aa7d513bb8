"""An engine between a scratchpad and the small memories, in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth.hdl import DomainRenamer, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from intarsia.arch.isa import Instruction, Space, encode
from intarsia.arch.machine import Machine
from intarsia.emu.execute.memory import Memories
from intarsia.hw.interfaces.ports import LINE_BYTES, Shape, shape_of
from intarsia.hw.memory.line_memory import LineMemory
from intarsia.hw.memory.parameter_memory import PARAMETER_BITS
from intarsia.sim.flat_scratchpad import FlatScratchpad

PATIENCE = 12000
FILLED = Shape.of(8, 1)
"""Of the port that fills a memory of lines, which nothing does here."""


class Rig:
    """An engine with all memories that it has ports for."""

    def __init__(self, engine: Any, machine: Machine) -> None:
        self.engine, self.machine = engine, machine
        self.m = m = Module()
        m.submodules.engine = DomainRenamer({"write": "sync"})(engine)
        reads = [name for name in ("read0", "read1", "x", "y") if hasattr(engine, name)]
        self.scratchpad = FlatScratchpad(
            machine,
            reads=tuple(shape_of(getattr(engine, name)) for name in reads),
            writes=(shape_of(engine.write),),
            apart=((0, 1),) if len(reads) == 2 else (),
        )
        m.submodules.scratchpad = self.scratchpad
        if len(reads) == 2:
            m.d.comb += self.scratchpad.begin0.eq(engine.port.start)
        for k, name in enumerate(reads):
            wiring.connect(m, getattr(engine, name), self.scratchpad.read[k])
        wiring.connect(m, engine.write, self.scratchpad.write[0])
        m.submodules.parameters = self.parameters = Memory(
            shape=unsigned(PARAMETER_BITS), depth=256, init=[]
        )
        if hasattr(engine, "param"):
            port = self.parameters.read_port()
            m.d.comb += [port.addr.eq(engine.param_index), engine.param.eq(port.data)]
        self.lines: dict[Space, LineMemory] = {}
        if hasattr(engine, "table"):
            self.lines[Space.TABLE] = engine.unit.memory
        if hasattr(engine, "packed"):
            stationary = LineMemory(
                lines=machine.stationary_bytes // LINE_BYTES,
                write=FILLED,
                reads=(shape_of(engine.packed), shape_of(engine.constants)),
            )
            self.lines[Space.STATIONARY] = stationary
            m.submodules.stationary = DomainRenamer({"write": "sync"})(stationary)
            wiring.connect(m, engine.packed, stationary.read0)
            wiring.connect(m, engine.constants, stationary.read1)
        elif hasattr(engine, "constants"):
            constants = LineMemory(
                lines=engine.machine.constants_bytes // LINE_BYTES,
                write=FILLED,
                reads=(shape_of(engine.constants),),
            )
            self.lines[Space.CONSTANTS] = constants
            m.submodules.constants = DomainRenamer({"write": "sync"})(constants)
            wiring.connect(m, engine.constants, constants.read0)
        self.cycle = Signal(32)
        m.d.sync += self.cycle.eq(self.cycle + 1)

    def run(self, instructions: Sequence[Instruction], memories: Memories) -> list[tuple[int, int]]:
        """Carries them out one after the other on these memories; (cycles, error code) of each."""
        found: list[tuple[int, int]] = []

        async def bench(ctx: Any) -> None:
            self._fill(ctx, memories)
            port = self.engine.port
            for instruction in instructions:
                ctx.set(port.instruction, int.from_bytes(encode(instruction), "little"))
                ctx.set(port.start, 1)
                cycles, code = 0, 0
                while not (ctx.get(port.finishing) or code):
                    code = ctx.get(port.error)
                    await ctx.tick()
                    ctx.set(port.start, 0)
                    cycles += 1
                    assert cycles < PATIENCE
                code = code or ctx.get(port.error)
                await ctx.tick()
                found.append((cycles + 1, code))
            await ctx.tick()
            self._take(ctx, memories)

        simulator = Simulator(self.m)
        simulator.add_clock(1e-8)
        simulator.add_testbench(bench)
        simulator.run()
        return found

    def _rows(self, space: Space) -> list[tuple[Any, int]]:
        """Memory and row of every line of a space."""
        if space is Space.SCRATCHPAD:
            depth = self.machine.scratchpad_bytes // LINE_BYTES
            return [(self.scratchpad.memory, line) for line in range(depth)]
        if space is Space.PARAMETERS:
            return [(self.parameters, line) for line in range(256)]
        memory = self.lines[space]
        columns = memory.columns
        return [(memory.memories[line % columns], line // columns) for line in range(memory.lines)]

    def _fill(self, ctx: Any, memories: Memories) -> None:
        for space in (Space.SCRATCHPAD, Space.PARAMETERS, *self.lines):
            lines = memories.spaces[space].reshape(-1, LINE_BYTES)
            for (memory, row), line in zip(self._rows(space), lines, strict=True):
                ctx.set(memory.data[row], int.from_bytes(line.tobytes(), "little"))

    def _take(self, ctx: Any, memories: Memories) -> None:
        data = b"".join(
            ctx.get(memory.data[row]).to_bytes(LINE_BYTES, "little")
            for memory, row in self._rows(Space.SCRATCHPAD)
        )
        memories.spaces[Space.SCRATCHPAD][:] = np.frombuffer(data, np.uint8)
