# amaranth: UnusedElaboratable=no
"""The sequencer with LOAD's engine and a memory: programs come from DRAM, then run as the model says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.sim import Simulator

from intarsia.arch.isa import Unit
from intarsia.hw.dma.load import LoadEngine
from intarsia.hw.sequencer.fetch import PROGRAM_SPACE
from intarsia.hw.sequencer.sequencer import ERROR_LATENCY, WATCHDOG_ERROR
from tests.hw.axi_memory import AxiMemory
from tests.hw.sequencer import bench
from tests.hw.sequencer.bench import random_segments, random_wait
from tests.hw.sequencer_model import Descriptor, Model, random_word
from tests.hw.sizes import DEPTH

CODE = 1 << 20
BYTES = 1 << 14
Program = tuple[list[list[int]], list[Descriptor]]


class Bench(bench.Bench):
    """The same, with the instructions in DRAM."""

    def __init__(self, rng: np.random.Generator, *, stalls: bool) -> None:
        super().__init__(rng)
        self.m = m = Module()
        m.submodules.sequencer = dut = self.dut
        m.submodules.load = self.load_engine = load = LoadEngine(width=8)
        port = dut.unit[Unit.LOAD]
        self.by_hand = Signal()
        m.d.comb += [
            load.port.instruction.eq(port.instruction),
            load.port.start.eq(port.start & dut.fetching),
            load.port.base.eq(port.base),
            load.stop.eq(dut.error != 0),
            dut.loaded.address.eq(load.memory.address),
            dut.loaded.mask.eq(load.memory.mask),
            dut.loaded.data.eq(load.memory.data),
            dut.loaded.enable.eq(Mux(load.space == PROGRAM_SPACE, load.memory.enable, 0)),
        ]
        self.dram = np.zeros(BYTES, np.uint8)
        self.memory = AxiMemory(load.bus, 8, self.dram, latency=5, origin=CODE, rng=rng if stalls else None)
        self.now = 0

    def simulate(self, body: Any) -> None:
        simulator = Simulator(self.m)
        simulator.add_clock(1e-8)
        simulator.add_testbench(body)
        simulator.run()

    def put(self, program: Program) -> list[tuple[int, int, int]]:
        """Puts the instructions into DRAM; of each, segment, unit and index."""
        memories, segments = program
        code, places = [], []
        for number, one in enumerate(segments):
            for unit in Unit:
                first, length = one.first[unit], one.length[unit]
                code += memories[unit][first : first + length]
                places += [(number, int(unit), index) for index in range(length)]
        data = b"".join(word.to_bytes(32, "little") for word in code)
        self.dram[:] = 0xA5
        self.dram[: len(data)] = np.frombuffer(data, np.uint8)
        return places

    async def fetch(self, ctx: Any, program: Program, *, patience: int = 0) -> None:
        """From the start to the program's first cycle, or to an error, which is left at the outputs. The
        watchdog expires after `patience` cycles without a word, if that is not 0."""
        dut, port = self.dut, self.dut.unit[Unit.LOAD]
        await self.load(ctx, [[]] * len(Unit), program[1])
        await ctx.tick()
        assert ctx.get(dut.idle)
        ctx.set(dut.code, CODE)
        ctx.set(dut.start, 1)
        ctx.set(dut.fetch, 1)
        began, still = self.now, 0
        while not ctx.get(dut.running) and not ctx.get(dut.error):
            ctx.set(dut.start, self.now == began)
            ctx.set(dut.fetch, self.now == began)
            self.memory.drive(ctx, self.now)
            self.memory.sample(ctx, self.now)
            assert ctx.get(dut.fetching) == (self.now > began)
            assert not ctx.get(dut.busy) and not ctx.get(dut.waiting) and not ctx.get(dut.finished)
            assert not any(ctx.get(dut.unit[unit].start) for unit in Unit if unit != Unit.LOAD)
            ctx.set(port.finishing, ctx.get(self.load_engine.port.finishing))
            ctx.set(port.error, ctx.get(self.load_engine.port.error))
            still = 0 if ctx.get(self.load_engine.moved) else still + 1
            ctx.set(dut.expired, patience != 0 and still == patience)
            if self.now > began:
                assert not ctx.get(dut.idle)
            await ctx.tick()
            self.now += 1
            assert self.now - began < 5000
        for signal in (port.finishing, port.error, dut.expired):
            ctx.set(signal, 0)

    async def settle(self, ctx: Any) -> tuple[int, ...]:
        """The error that is shown; then until all is quiet."""
        dut = self.dut
        places = (dut.error_unit, dut.error_segment, dut.error_iteration, dut.error_index)
        found = (ctx.get(dut.error), *map(ctx.get, places))
        began = self.now
        while self.now < began + 2 * ERROR_LATENCY or not ctx.get(self.load_engine.quiet):
            self.memory.drive(ctx, self.now)
            self.memory.sample(ctx, self.now)
            await ctx.tick()
            self.now += 1
            assert not ctx.get(dut.error) and not ctx.get(dut.running) and not ctx.get(dut.fetching)
            assert self.now < began + 5000
        self.memory.drive(ctx, self.now)  # nothing, from now on
        assert ctx.get(dut.idle) and not self.memory.owes
        return found


def random_program(rng: np.random.Generator) -> Program:
    """Segments whose queues stand anywhere, one behind another or not."""
    memories = [
        [random_wait(rng) if rng.random() < 0.3 else random_word(unit, rng) for _ in range(DEPTH)]
        for unit in Unit
    ]
    return memories, random_segments(rng, memories, True)


@pytest.mark.parametrize("stalls", [False, True])
def test_what_was_fetched_runs(stalls: bool) -> None:
    """Then once more without being fetched, from a DRAM that has changed."""
    rng = np.random.default_rng(stalls)
    bench = Bench(rng, stalls=stalls)

    async def body(ctx: Any) -> None:
        for _ in range(8):
            program = random_program(rng)
            bench.put(program)
            await bench.fetch(ctx, program)
            await bench.follow(ctx, Model(*program))
            bench.dram[:] = 0
            await bench.run(ctx, *program)

    bench.simulate(body)


def test_errors_name_what_was_fetched() -> None:
    """A bus error, a queue that does not fit, the watchdog's; then the next program runs."""
    rng = np.random.default_rng(7)
    bench = Bench(rng, stalls=False)
    found = set()

    async def body(ctx: Any) -> None:
        for number in range(18):
            program = random_program(rng)
            places = bench.put(program)
            if not places:
                continue
            kind = number % 3
            wanted: tuple[int, ...]
            if kind == 0:
                at = int(rng.integers(len(places)))
                bench.memory.broken = {CODE + 32 * at + 8 * int(rng.integers(4))}
                segment, unit, index = places[at]
                wanted = (4, unit, segment, 0, index)
                await bench.fetch(ctx, program)
            elif kind == 1:
                segment, unit, _ = places[int(rng.integers(len(places)))]
                program[1][segment].first[unit] = DEPTH - program[1][segment].length[unit] + 1
                wanted = (3, unit, segment, 0)
                await bench.fetch(ctx, program)
            else:
                # No word of an instruction comes any more.
                at = int(rng.integers(len(places)))
                bench.memory.silent_from = CODE + 32 * at
                segment, unit, index = places[at]
                wanted = (WATCHDOG_ERROR, unit, segment, 0, index)
                await bench.fetch(ctx, program, patience=50)
            bench.memory.silent_from = None
            error = await bench.settle(ctx)
            assert error[: len(wanted)] == wanted
            found.add(error[:2])
            bench.memory.broken = set()
            program = random_program(rng)
            bench.put(program)
            await bench.fetch(ctx, program)
            await bench.follow(ctx, Model(*program))

    bench.simulate(body)
    assert {code for code, _ in found} == {3, 4, 6} and len(found) > 6
