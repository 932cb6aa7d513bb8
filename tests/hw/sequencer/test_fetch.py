# amaranth: UnusedElaboratable=no
"""Fetching of programs, with LOAD's engine and a memory: every instruction at its place, once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Mux, Signal
from amaranth.sim import Simulator

from intarsia.arch.isa import Load, Space, encode
from intarsia.hw.dma.load import LoadEngine
from intarsia.hw.interfaces.instruction import INSTRUCTION_BITS, assembled
from intarsia.hw.sequencer.fetch import PROGRAM_SPACE, Fetch
from intarsia.hw.sequencer.queue import UNITS
from tests.hw.axi_memory import AxiMemory
from tests.hw.sizes import FETCH_DEPTH as DEPTH

CODE = 96
SEGMENTS, MOST = 3, 256
"""As a rule; the most that a table holds."""
AGAIN = 20
"""Cycles in which nothing may come after a reset."""
Queue = tuple[tuple[int, int], int, int]
"""Segment and unit, its first instruction, how many."""
Written = tuple[int, int, bytes]


class Bench:
    """Random queues in DRAM, and their table."""

    def __init__(
        self,
        width: int,
        seed: int,
        *,
        stalls: bool = False,
        queue: Queue | None = None,
        segments: int = SEGMENTS,
        used: float = 0.7,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.segments, shape = segments, (segments, UNITS)
        self.lengths = rng.integers(0, 8, shape) * (rng.random(shape) < used)
        self.firsts = self.lengths.cumsum(axis=0) - self.lengths + 3
        if queue:
            at, self.firsts[at], self.lengths[at] = queue
        self.dram = rng.integers(0, 256, CODE + 32 * int(self.lengths.sum()) + 128, dtype=np.uint8)
        self.origin = 128 * int(np.random.default_rng(seed).integers(1 << 24, 1 << 25))
        self.m = m = Module()
        m.domains.sync = self.domain = ClockDomain()
        m.submodules.fetch = self.dut = dut = Fetch(width=width, depth=DEPTH)
        m.submodules.load = self.load = load = LoadEngine(width=width)
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
        self.now = self.blamed = 0

    @property
    def wanted(self) -> list[Written]:
        found, place = [], CODE
        for firsts, lengths in zip(self.firsts.tolist(), self.lengths.tolist(), strict=True):
            for unit, (first, length) in enumerate(zip(firsts, lengths, strict=True)):
                for k in range(length):
                    found.append((unit, first + k, self.dram[place : place + 32].tobytes()))
                    place += 32
        return found

    def place(self, ctx: Any) -> tuple[int, int]:
        """Segment and unit that it is at."""
        return ctx.get(self.dut.segment), ctx.get(self.dut.unit)

    def describe(self, ctx: Any) -> None:
        """Says where its queue stands, in the same cycle; nothing behind the last segment."""
        at = self.place(ctx)
        ctx.set(self.dut.first, int(self.firsts[at]) if at[0] < self.segments else 0)
        ctx.set(self.dut.length, int(self.lengths[at]) if at[0] < self.segments else 0)

    async def reset(self, ctx: Any) -> None:
        """For a cycle, and of the memory too; nothing goes on."""
        ctx.set(self.dut.start, 0)
        for now in range(AGAIN):
            ctx.set(self.domain.rst, now == 0)
            self.memory.reads, self.memory.waiting = [], {}
            self.memory.drive(ctx, self.now)
            self.describe(ctx)
            if now:
                assert not ctx.get(self.dut.running) and not ctx.get(self.dut.write)
                assert not ctx.get(self.dut.begin) and not ctx.get(self.dut.error)
                assert not ctx.get(self.load.bus.ar.valid) and ctx.get(self.load.quiet)
                assert self.place(ctx) == (0, 0)
            # As `tick` without a domain, which would wait for the end of a reset.
            await ctx.posedge(self.domain.clk)
            self.now += 1

    async def run(
        self, ctx: Any, *, stop_after: int = 10000, reset_after: int = 10000, segments: int | None = None
    ) -> tuple[list[Written], int]:
        """What is written until the end, and the error."""
        dut, began = self.dut, self.now
        written: list[Written] = []
        ctx.set(dut.address, self.origin + CODE)
        ctx.set(dut.segments, self.segments if segments is None else segments)
        while self.now - began < reset_after:
            ctx.set(dut.start, self.now == began)
            self.describe(ctx)
            self.memory.drive(ctx, self.now)
            self.memory.sample(ctx, self.now)
            error = ctx.get(dut.error) or ctx.get(self.load.port.error)
            self.blamed = ctx.get(dut.index)
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
        await self.reset(ctx)
        return written, 0

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


@pytest.mark.parametrize("segments", [1, 2, MOST])
def test_few_segments_and_as_many_as_there_can_be(segments: int) -> None:
    bench = Bench(8, 3, segments=segments, used=0.01 if segments == MOST else 0.7)

    async def body(ctx: Any) -> None:
        assert await bench.run(ctx) == (bench.wanted, 0)

    bench.simulate(body)
    assert {unit for unit, *_ in bench.wanted} > {0}


def test_every_bit_of_the_number_of_segments_counts() -> None:
    """It goes on behind the first where a bit above says that there are more."""
    bench = Bench(8, 3, segments=1)

    async def body(ctx: Any) -> None:
        for bit in range(1, len(bench.dut.segments)):
            written, error = await bench.run(ctx, segments=1 | 1 << bit, stop_after=500)
            assert (written, error) == (bench.wanted, 0)
            assert bench.place(ctx)[0] > 1

    bench.simulate(body)


def test_addresses_carry_into_every_bit() -> None:
    """The code stands around a multiple of every power of two; the last ends where addresses do."""
    bench = Bench(8, 1)
    size = 32 * int(bench.lengths.sum())

    async def body(ctx: Any) -> None:
        for bit in range(10, 33):
            before = size if bit == 32 else 5 * 32
            bench.origin = bench.memory.origin = (1 << bit) - before - CODE
            assert await bench.run(ctx) == (bench.wanted, 0)

    bench.simulate(body)


@pytest.mark.parametrize("stalls", [False, True])
def test_an_error_of_the_bus_at_every_beat(stalls: bool) -> None:
    """What came before is written, and the instruction that was fetched is named."""
    bench = Bench(8, 4, stalls=stalls, segments=1)
    places = [(unit, k) for unit in range(UNITS) for k in range(int(bench.lengths[0, unit]))]

    async def body(ctx: Any) -> None:
        for beat in range(4 * len(places)):
            bench.memory.broken = {bench.origin + CODE + 8 * beat}
            bench.memory.code = 1 + beat % 3
            written, error = await bench.run(ctx)
            assert error == 4 and written == bench.wanted[: beat // 4]
            assert (*bench.place(ctx), bench.blamed) == (0, *places[beat // 4])
        bench.memory.broken = set()
        assert await bench.run(ctx) == (bench.wanted, 0)

    bench.simulate(body)
    assert len(places) > 10


@pytest.mark.parametrize("stalls", [False, True])
def test_a_reset_in_the_middle(stalls: bool) -> None:
    """At any time; then the same from the beginning."""
    bench = Bench(8, 5, stalls=stalls, segments=2)

    async def body(ctx: Any) -> None:
        for after in (*range(1, 40), *range(40, 400, 23)):
            written, _ = await bench.run(ctx, reset_after=after)
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


def test_a_queue_that_fills_its_memory() -> None:
    """Every place of it: the index in the queue takes all its values."""
    bench = Bench(8, 2, queue=((0, 0), 0, DEPTH))

    async def body(ctx: Any) -> None:
        assert await bench.run(ctx) == (bench.wanted, 0)

    bench.simulate(body)
    assert [at for unit, at, _ in bench.wanted if unit == 0][:DEPTH] == list(range(DEPTH))
