# amaranth: UnusedElaboratable=no
"""Fetching of programs, with LOAD's engine and a memory: every instruction at its place, once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.sim import Simulator

from intarsia.arch.isa import Load, Space, encode
from intarsia.hw.dma.load import LoadEngine
from intarsia.hw.interfaces.instruction import INSTRUCTION_BITS, assembled
from intarsia.hw.sequencer.fetch import PROGRAM_SPACE, Fetch
from intarsia.hw.sequencer.queue import UNITS
from tests.hw.axi_memory import AxiMemory
from tests.hw.sizes import FETCH_DEPTH as DEPTH

CODE = 96
SEGMENTS = 3
Queue = tuple[tuple[int, int], int, int]
"""Segment and unit, its first instruction, how many."""
Written = tuple[int, int, bytes]


class Bench:
    """Random queues in DRAM, and their table."""

    def __init__(self, width: int, seed: int, *, stalls: bool = False, queue: Queue | None = None) -> None:
        rng = np.random.default_rng(seed)
        self.lengths = rng.integers(0, 8, (SEGMENTS, UNITS)) * (rng.random((SEGMENTS, UNITS)) < 0.7)
        self.firsts = self.lengths.cumsum(axis=0) - self.lengths + 3
        if queue:
            at, self.firsts[at], self.lengths[at] = queue
        self.dram = rng.integers(0, 256, CODE + 32 * int(self.lengths.sum()) + 128, dtype=np.uint8)
        self.origin = 128 * int(np.random.default_rng(seed).integers(1 << 24, 1 << 25))
        self.m = m = Module()
        m.submodules.fetch = self.dut = dut = Fetch(width=width, depth=DEPTH)
        m.submodules.load = self.load = load = LoadEngine(width=width)
        at = dut.segment * UNITS + dut.unit
        for name, table in (("first", self.firsts), ("length", self.lengths)):
            values = Array(int(value) for value in table.flat)
            m.d.comb += getattr(dut, name).eq(values[at])
        self.stop = Signal()
        m.d.comb += [
            load.port.instruction.eq(dut.instruction),
            load.port.start.eq(dut.begin),
            dut.finishing.eq(load.port.finishing),
            *(getattr(dut.memory, n).eq(getattr(load.memory, n)) for n in ("address", "mask", "data")),
            dut.memory.enable.eq(Mux(load.space == PROGRAM_SPACE, load.memory.enable, 0)),
            load.stop.eq(self.stop),
            dut.stop.eq(self.stop),
        ]
        self.memory = AxiMemory(
            load.bus, width, self.dram, latency=9, origin=self.origin, rng=rng if stalls else None
        )
        self.now = 0

    @property
    def wanted(self) -> list[Written]:
        found, place = [], CODE
        for firsts, lengths in zip(self.firsts.tolist(), self.lengths.tolist(), strict=True):
            for unit, (first, length) in enumerate(zip(firsts, lengths, strict=True)):
                for k in range(length):
                    found.append((unit, first + k, self.dram[place : place + 32].tobytes()))
                    place += 32
        return found

    async def run(self, ctx: Any, *, stop_after: int = 10000) -> tuple[list[Written], int]:
        """What is written until the end, and the error."""
        dut, began = self.dut, self.now
        written: list[Written] = []
        ctx.set(dut.address, self.origin + CODE)
        ctx.set(dut.segments, SEGMENTS)
        while True:
            ctx.set(dut.start, self.now == began)
            self.memory.drive(ctx, self.now)
            self.memory.sample(ctx, self.now)
            error = ctx.get(dut.error) or ctx.get(self.load.port.error)
            if ctx.get(dut.write):
                code = ctx.get(dut.write_data).to_bytes(32, "little")
                written.append((ctx.get(dut.write_unit), ctx.get(dut.write_address), code))
            assert ctx.get(dut.running) == (self.now > began)
            finished = ctx.get(dut.finished)
            ends = bool(error) or self.now - began == stop_after
            ctx.set(self.stop, ends)
            await ctx.tick()
            self.now += 1
            ctx.set(self.stop, 0)
            if ends:
                while not ctx.get(self.load.quiet):
                    self.memory.drive(ctx, self.now)
                    self.memory.sample(ctx, self.now)
                    assert not ctx.get(dut.write) and not ctx.get(dut.running)
                    await ctx.tick()
                    self.now += 1
            if ends or finished:
                assert not ctx.get(dut.running)
                return written, error
            assert self.now - began < 10000

    def simulate(self, body: Any) -> None:
        simulator = Simulator(self.m)
        simulator.add_clock(1e-8)
        simulator.add_testbench(body)
        simulator.run()


@pytest.mark.parametrize("width", [1, 4, 8, 32, 64, 128])
@pytest.mark.parametrize("stalls", [False, True])
def test_every_instruction_in_its_place(width: int, stalls: bool) -> None:
    bench = Bench(width, width, stalls=stalls)

    async def body(ctx: Any) -> None:
        for _ in range(2):
            assert await bench.run(ctx) == (bench.wanted, 0)

    bench.simulate(body)
    assert len(bench.wanted) > 20


def test_errors_and_stops_and_again() -> None:
    bench = Bench(8, 1, stalls=True)

    async def body(ctx: Any) -> None:
        bench.memory.broken = {bench.origin + CODE + 32 * 7 + 8}
        written, error = await bench.run(ctx)
        assert error == 4 and written == bench.wanted[:7]
        bench.memory.broken = set()
        for after in range(3, 60, 8):
            written, _ = await bench.run(ctx, stop_after=after)
            assert written == bench.wanted[: len(written)]
            assert await bench.run(ctx) == (bench.wanted, 0)

    bench.simulate(body)


@pytest.mark.parametrize("at", [(1, 4), (0, 0)])
def test_a_queue_that_does_not_fit(at: tuple[int, int]) -> None:
    """By one instruction; by as many as a descriptor can say."""
    far = [1 << bit for bit in range(6, 16)]
    places = [(DEPTH - 2, 3), (DEPTH, 1)]
    if at == (0, 0):
        places += [(0, many) for many in far] + [(many, 1) for many in far] + [(65535, 1), (0, 65535)]
    for first, length in places:
        bench = Bench(8, 2, queue=(at, first, length))

        async def body(ctx: Any, bench: Bench = bench) -> None:
            _, error = await bench.run(ctx)
            assert error == 3
            assert (ctx.get(bench.dut.segment), ctx.get(bench.dut.unit)) == at

        bench.simulate(body)


@pytest.mark.parametrize("last", [1, 2])
def test_a_queue_that_fits_just(last: int) -> None:
    bench = Bench(8, 2, queue=((1, 4), DEPTH - 2, last))

    async def body(ctx: Any) -> None:
        assert await bench.run(ctx) == (bench.wanted, 0)

    bench.simulate(body)
    assert (4, DEPTH - 3 + last) in [place[:2] for place in bench.wanted]


def test_assembles_what_the_encoder_does() -> None:
    m = Module()
    word, size = Signal(INSTRUCTION_BITS), Signal(32)
    m.d.comb += word.eq(
        assembled(
            Load,
            dram=Signal(32, init=77),
            space=Signal(3, init=2),
            size=size,
            count1=Signal(16, init=3),
            count2=Signal(16, init=1),
        )
    )

    async def body(ctx: Any) -> None:
        ctx.set(size, 1000)
        await ctx.delay(1e-9)
        wanted = encode(Load(77, Space.STATIONARY, 0, 1000, count1=3))
        assert ctx.get(word).to_bytes(32, "little") == wanted

    simulator = Simulator(m)
    simulator.add_testbench(body)
    simulator.run()
