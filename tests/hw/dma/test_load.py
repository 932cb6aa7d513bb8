# amaranth: UnusedElaboratable=no
"""LOAD against NumPy and the closed form of its time: every byte, every cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.arch.duration import bytes_per_cycle, cycles
from intarsia.arch.isa import Load, Space, encode
from intarsia.arch.machine import Machine
from intarsia.hw.dma.load import LoadEngine
from intarsia.hw.interfaces.axi import SLVERR
from tests.hw.axi_memory import AxiMemory
from tests.hw.transfers import CHIP, DRAM, ORIGIN, apply, machine, random_transfer

WIDTHS = [(1, 16), (2, 32), (4, 16), (8, 16), (16, 16), (16, 64), (32, 32), (64, 64)]


class Bench:
    """An engine, a memory behind its bus, and one in front of it that holds all spaces in one array."""

    def __init__(self, of: Machine, seed: int, *, stalls: bool = False) -> None:
        self.machine = of
        self.rng = np.random.default_rng(seed)
        self.width = bytes_per_cycle(of)
        self.dut = LoadEngine(width=self.width)
        self.dram = self.rng.integers(0, 256, DRAM, dtype=np.uint8)
        self.chip = self.rng.integers(0, 256, CHIP, dtype=np.uint8)
        self.wanted = self.chip.copy()
        self.memory = AxiMemory(
            self.dut.bus,
            self.width,
            self.dram,
            latency=of.memory_latency,
            origin=ORIGIN,
            rng=self.rng if stalls else None,
        )
        self.now = 0
        self.written, self.bad, self.space = -1, False, 0
        self.broken_line = -1
        self.moved = 0

    async def cycle(self, ctx: Any, **inputs: int) -> tuple[int, int]:
        """One cycle; whether the instruction ends, and its error."""
        dut = self.dut
        for name in ("start", "stop"):
            ctx.set(dut.port.start if name == "start" else dut.stop, inputs.get(name, 0))
        # A write that was wrong is known a cycle later.
        ctx.set(dut.memory.error, 3 if self.written == self.now - 1 and self.bad else 0)
        self.memory.drive(ctx, self.now)
        self.memory.sample(ctx, self.now)
        self.moved += ctx.get(dut.moved)
        if enable := ctx.get(dut.memory.enable):
            self.write(ctx, enable)
            self.space = ctx.get(dut.space)
        found = ctx.get(dut.port.finishing), ctx.get(dut.port.error)
        await ctx.tick()
        self.now += 1
        return found

    def write(self, ctx: Any, enable: int) -> None:
        port = self.dut.memory
        address, mask, data = ctx.get(port.address), ctx.get(port.mask), ctx.get(port.data)
        places = [address + k for k in range(self.width) if mask >> (address + k) % self.width & 1]
        lines = sorted({place // 16 for place in places})
        assert places == list(range(address, address + len(places)))
        assert lines == [address // 16 + k for k in range(enable.bit_length())]
        assert enable == (1 << len(lines)) - 1
        self.written, self.bad = self.now, self.broken_line in lines
        for place in places:
            self.chip[place] = data >> 8 * (place % self.width) & 0xFF

    async def run(self, ctx: Any, one: Load) -> tuple[int, int]:
        """Cycles that an instruction takes, and its error, at which it is stopped."""
        ctx.set(self.dut.port.instruction, int.from_bytes(encode(one), "little"))
        ctx.set(self.dut.port.base, ORIGIN if one.based else int(self.rng.integers(1 << 32)))
        began = self.now
        while True:
            finishing, error = await self.cycle(ctx, start=self.now == began)
            if error:
                return self.now - began, error
            if finishing:
                assert self.written == self.now - 2 and not self.memory.owes
                assert self.space == one.space
                return self.now - began, 0
            assert self.now - began < 50000

    def simulate(self, body: Any) -> None:
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-8)
        simulator.add_testbench(body)
        simulator.run()


def transfers(bench: Bench, count: int) -> Sequence[Load]:
    return [random_transfer(bench.rng, Load, bench.width) for _ in range(count)]


@pytest.mark.parametrize(("width", "lanes"), WIDTHS)
@pytest.mark.parametrize("latency", [1, 37])
def test_takes_as_long_as_the_emulator_says(width: int, lanes: int, latency: int) -> None:
    bench = Bench(machine(width, lanes, latency), width + latency)

    async def body(ctx: Any) -> None:
        for one in transfers(bench, 25):
            apply(one, bench.dram, bench.wanted)
            assert await bench.run(ctx, one) == (cycles(one, bench.machine), 0), one
            assert np.array_equal(bench.chip, bench.wanted), one

    bench.simulate(body)
    assert bench.memory.bursts > 25


@pytest.mark.parametrize(("width", "lanes"), WIDTHS)
def test_takes_words_whenever_they_come(width: int, lanes: int) -> None:
    bench = Bench(machine(width, lanes, 3), width, stalls=True)

    async def body(ctx: Any) -> None:
        for one in transfers(bench, 15):
            apply(one, bench.dram, bench.wanted)
            took, error = await bench.run(ctx, one)
            assert error == 0 and took >= cycles(one, bench.machine)
            assert np.array_equal(bench.chip, bench.wanted), one

    bench.simulate(body)


def test_long_pieces_are_split_into_bursts() -> None:
    """As few as pages and 256 beats allow; one request per cycle."""
    for width, size, bursts in ((4, 4096, 5), (16, 9000, 3), (64, 8192, 3)):
        bench = Bench(machine(width, max(width, 16), 5), 0)
        one = Load(ORIGIN + 3 * 4096 + 17, Space.STATIONARY, 5, size)

        async def body(ctx: Any, bench: Bench = bench, one: Load = one) -> None:
            apply(one, bench.dram, bench.wanted)
            assert await bench.run(ctx, one) == (cycles(one, bench.machine), 0)
            assert np.array_equal(bench.chip, bench.wanted)

        bench.simulate(body)
        assert bench.memory.bursts == bursts
        assert bench.moved == -(-(17 % width + size) // width)


GOOD = Load(ORIGIN + 5, Space.SCRATCHPAD, 9, 300)
BEYOND = {
    "size": Load((1 << 32) - 8, Space.SCRATCHPAD, 0, 9),
    "stride1": Load(ORIGIN, Space.SCRATCHPAD, 0, 1, count1=3, dram_stride1=DRAM // 2),
    "stride2": Load(ORIGIN, Space.SCRATCHPAD, 0, 1, count2=2, dram_stride2=DRAM),
    "base": Load(DRAM, Space.SCRATCHPAD, 0, 1, based=True),
    "twice": Load(0, Space.SCRATCHPAD, 0, 1, count1=2, dram_stride1=(1 << 32) - 1, based=True),
}
CODES = {"exokay": 1, "slverr": 2, "decerr": 3}
"""Answers that are not OKAY; no instruction asks for an exclusive access."""


def test_the_last_address_is_no_error() -> None:
    bench = Bench(machine(8, 16, 3), 0)

    async def body(ctx: Any) -> None:
        for one in (Load((1 << 32) - 8, Space.TABLE, 0, 8), Load(DRAM - 1, Space.TABLE, 0, 1, based=True)):
            assert await bench.run(ctx, one) == (cycles(one, bench.machine), 0)

    bench.simulate(body)


@pytest.mark.parametrize(
    "kind", [*BEYOND, *CODES, "id", "last word", "memory", "memory and bus", "last write"]
)
@pytest.mark.parametrize("stalls", [False, True])
def test_errors_stop_it_and_the_next_instruction_works(kind: str, stalls: bool) -> None:
    bench = Bench(machine(8, 16, 3), 1, stalls=stalls)
    one = BEYOND.get(kind, GOOD)
    code = 3 if kind in BEYOND or kind in ("memory", "memory and bus", "last write") else 4

    async def body(ctx: Any) -> None:
        bench.memory.code = CODES.get(kind, SLVERR)
        if kind in CODES:
            bench.memory.broken = {ORIGIN + 64}
        elif kind == "id":
            ctx.set(bench.dut.bus.r.id, 1)
        elif kind == "last word":
            bench.memory.broken = {(ORIGIN + 304) // 8 * 8}
        elif kind.startswith("memory"):
            bench.broken_line = 2
            if kind != "memory":  # in the same cycle: the word after the first that is for that line
                bench.memory.broken = {ORIGIN + 32}
        elif kind == "last write":
            bench.broken_line = 308 // 16
        took, error = await bench.run(ctx, one)
        assert error == code
        if kind == "last write" and not stalls:
            # Within the last word's window, in which the instruction would have ended at the latest.
            assert cycles(one, bench.machine) - 2 <= took <= cycles(one, bench.machine)
        ctx.set(bench.dut.bus.r.id, 0)
        # The sequencer stops the engine in the cycle of the error; here a cycle later, as another unit's.
        await settle(ctx, bench)
        bench.memory.broken, bench.broken_line = set(), -1
        await check(ctx, bench)

    bench.simulate(body)


@pytest.mark.parametrize("stalls", [False, True])
def test_stops_in_flight(stalls: bool) -> None:
    """In every cycle of an instruction; what is asked for is taken, nothing more is written."""
    one = replace(GOOD, size=40, count1=4, dram_stride1=4096 - 3, stride1=40)
    bench = Bench(machine(8, 16, 6), 2, stalls=stalls)

    async def body(ctx: Any) -> None:
        for after in range(cycles(one, bench.machine)):
            ctx.set(bench.dut.port.instruction, int.from_bytes(encode(one), "little"))
            for k in range(after):
                assert await bench.cycle(ctx, start=k == 0) == (0, 0)
            await settle(ctx, bench, start=after == 0)
            await check(ctx, bench)

    bench.simulate(body)


async def settle(ctx: Any, bench: Bench, start: int = 0) -> None:
    await bench.cycle(ctx, stop=1, start=start)
    ctx.set(bench.dut.port.instruction, 0)
    stopped = bench.now
    bursts = bench.memory.bursts + ("ar" in bench.memory.waiting)
    while not ctx.get(bench.dut.quiet):
        await bench.cycle(ctx)
        assert bench.memory.bursts <= bursts and bench.now < stopped + 1000
    assert not bench.memory.owes and bench.written < stopped
    for _ in range(5):
        assert await bench.cycle(ctx) == (0, 0)
    assert bench.written < stopped


async def check(ctx: Any, bench: Bench) -> None:
    """The next instruction does what it should."""
    bench.wanted[:] = bench.chip
    apply(GOOD, bench.dram, bench.wanted)
    took, error = await bench.run(ctx, GOOD)
    assert error == 0 and np.array_equal(bench.chip, bench.wanted)
    assert bench.memory.rng is not None or took == cycles(GOOD, bench.machine)


def test_refuses_widths() -> None:
    with pytest.raises(ValueError, match="width must be a power of two in 1..128 bytes, not 256"):
        LoadEngine(width=256)
