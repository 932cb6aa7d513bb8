# amaranth: UnusedElaboratable=no
"""STORE against NumPy and the closed form of its time: every byte, every cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.arch.duration import bytes_per_cycle, cycles
from intarsia.arch.isa import Store, encode
from intarsia.arch.machine import Machine
from intarsia.hw.dma.store import StoreEngine
from intarsia.hw.interfaces.axi import SLVERR
from intarsia.hw.interfaces.ports import READ_LATENCY
from tests.hw.axi_memory import AxiMemory
from tests.hw.transfers import CHIP, DRAM, ORIGIN, apply, machine, random_transfer

WIDTHS = [(1, 16), (2, 32), (4, 16), (8, 16), (16, 16), (16, 64), (32, 32), (64, 64)]


class Bench:
    """An engine between a scratchpad and a memory behind a bus."""

    def __init__(self, of: Machine, seed: int, *, stalls: bool = False, late: bool = False) -> None:
        self.machine = of
        self.rng = np.random.default_rng(seed)
        self.width = bytes_per_cycle(of)
        self.dut = StoreEngine(width=self.width)
        self.dram = self.rng.integers(0, 256, DRAM, dtype=np.uint8)
        self.chip = self.rng.integers(0, 256, CHIP + of.word, dtype=np.uint8)
        self.wanted = self.dram.copy()
        self.memory = AxiMemory(
            self.dut.bus,
            self.width,
            self.dram,
            latency=of.memory_latency,
            origin=ORIGIN,
            rng=self.rng if stalls else None,
            late=late,
        )
        self.now = 0
        self.reading = [(0, 0)] * READ_LATENCY  # addresses and enables of the last cycles
        self.broken_line = -1
        self.reads = self.moved = 0
        self.lines: set[int] = set()

    async def cycle(self, ctx: Any, *, start: int = 0, stop: int = 0) -> tuple[int, int]:
        """One cycle; whether the instruction ends, and its error."""
        dut = self.dut
        ctx.set(dut.port.start, start)
        ctx.set(dut.stop, stop)
        ctx.set(dut.memory.data, self.shown(*self.reading[0]))
        address, enable = self.reading[-1]
        ctx.set(dut.memory.error, 5 if 0 <= self.broken_line - address // 16 < enable.bit_length() else 0)
        self.memory.drive(ctx, self.now)
        self.memory.sample(ctx, self.now)
        self.moved += ctx.get(dut.moved)
        address, enable = ctx.get(dut.memory.address), ctx.get(dut.memory.enable)
        assert enable & (enable + 1) == 0, "lines that are not needed in front of those that are"
        self.reads += enable != 0
        self.lines |= {address // 16 + k for k in range(enable.bit_length())}
        self.reading = [*self.reading[1:], (address, enable)]
        found = ctx.get(dut.port.finishing), ctx.get(dut.port.error)
        await ctx.tick()
        self.now += 1
        return found

    def shown(self, address: int, enable: int) -> int:
        """What the scratchpad shows: noise where it was not asked."""
        data = self.rng.integers(0, 256, self.width, dtype=np.uint8)
        for place in range(address, min(address + self.width, 16 * (address // 16 + enable.bit_length()))):
            if place < len(self.chip):
                data[place % self.width] = self.chip[place]
        return int.from_bytes(data.tobytes(), "little")

    async def run(self, ctx: Any, one: Store) -> tuple[int, int]:
        """Cycles that an instruction takes, and its error, at which it must be stopped."""
        ctx.set(self.dut.port.instruction, int.from_bytes(encode(one), "little"))
        ctx.set(self.dut.port.base, ORIGIN if one.based else int(self.rng.integers(1 << 32)))
        began = self.now
        while True:
            finishing, error = await self.cycle(ctx, start=self.now == began)
            if error:
                return self.now - began, error
            if finishing:
                assert not self.memory.owes
                return self.now - began, 0
            assert self.now - began < 50000

    def simulate(self, body: Any) -> None:
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-8)
        simulator.add_testbench(body)
        simulator.run()


def transfers(bench: Bench, count: int) -> Sequence[Store]:
    return [random_transfer(bench.rng, Store, bench.width) for _ in range(count)]


@pytest.mark.parametrize(("width", "lanes"), WIDTHS)
@pytest.mark.parametrize("latency", [1, 37])
def test_takes_as_long_as_the_emulator_says(width: int, lanes: int, latency: int) -> None:
    bench = Bench(machine(width, lanes, latency), width + latency)

    async def body(ctx: Any) -> None:
        for one in transfers(bench, 25):
            apply(one, bench.wanted, bench.chip)
            assert await bench.run(ctx, one) == (cycles(one, bench.machine), 0), one
            assert np.array_equal(bench.dram, bench.wanted), one

    bench.simulate(body)
    assert bench.memory.bursts > 25 and bench.reads == bench.moved


@pytest.mark.parametrize(("width", "lanes"), WIDTHS)
@pytest.mark.parametrize("late", [False, True])
def test_gives_words_whenever_they_are_taken(width: int, lanes: int, late: bool) -> None:
    """Also to a memory that takes a burst's address only after its words."""
    bench = Bench(machine(width, lanes, 3), width, stalls=True, late=late)

    async def body(ctx: Any) -> None:
        for one in transfers(bench, 10):
            apply(one, bench.wanted, bench.chip)
            took, error = await bench.run(ctx, one)
            assert error == 0 and took >= cycles(one, bench.machine)
            assert np.array_equal(bench.dram, bench.wanted), one

    bench.simulate(body)


def test_reads_only_the_lines_of_its_bytes() -> None:
    bench = Bench(machine(16, 16, 4), 0)

    async def body(ctx: Any) -> None:
        one = Store(ORIGIN + 7, 64 + 5, 43, count1=2, dram_stride1=100, stride1=75)
        await bench.run(ctx, one)
        # 69 .. 111 and 144 .. 186.
        assert bench.lines == {4, 5, 6, 9, 10, 11}

    bench.simulate(body)


def test_long_pieces_are_split_into_bursts() -> None:
    """As few as pages and 256 beats allow."""
    for width, size, bursts in ((4, 4096, 5), (16, 9000, 3), (64, 8192, 3)):
        bench = Bench(machine(width, max(width, 16), 5), 0)
        one = Store(ORIGIN + 3 * 4096 + 17, 5, size)

        async def body(ctx: Any, bench: Bench = bench, one: Store = one) -> None:
            apply(one, bench.wanted, bench.chip)
            assert await bench.run(ctx, one) == (cycles(one, bench.machine), 0)
            assert np.array_equal(bench.dram, bench.wanted)

        bench.simulate(body)
        assert bench.memory.bursts == bursts
        assert bench.moved == -(-(17 % width + size) // width)


GOOD = Store(ORIGIN + 5, 9, 300)
BEYOND = {
    "size": Store((1 << 32) - 8, 0, 9),
    "stride1": Store(ORIGIN, 0, 20, count1=3, dram_stride1=DRAM // 2),
    "stride2": Store(ORIGIN, 0, 20, count2=2, dram_stride2=DRAM),
    "base": Store(DRAM, 0, 1, based=True),
}
CODES = {"exokay": 1, "slverr": 2, "decerr": 3}
"""Answers that are not OKAY; no instruction asks for an exclusive access."""


@pytest.mark.parametrize("kind", [*BEYOND, *CODES, "id", "last word", "memory", "last read"])
@pytest.mark.parametrize("stalls", [False, True])
def test_errors_stop_it_and_the_next_instruction_works(kind: str, stalls: bool) -> None:
    bench = Bench(machine(8, 16, 3), 1, stalls=stalls)
    one = BEYOND.get(kind, GOOD)
    code = 3 if kind in BEYOND else 4 if kind in (*CODES, "id", "last word") else 5

    async def body(ctx: Any) -> None:
        bench.memory.code = CODES.get(kind, SLVERR)
        if kind in (*CODES, "last word"):
            one_piece = replace(one, size=30, count1=20, dram_stride1=64, stride1=40)
            bench.memory.broken = {ORIGIN + (64 * (19 if kind == "last word" else 3))}
        else:
            one_piece = one
        if kind in ("memory", "last read"):
            bench.broken_line = 3 if kind == "memory" else 308 // 16
        ctx.set(bench.dut.bus.b.id, kind == "id")
        took, error = await bench.run(ctx, one_piece)
        ctx.set(bench.dut.bus.b.id, 0)
        assert error == code
        if kind == "last word" and not stalls:
            assert took == cycles(one_piece, bench.machine)
        await settle(ctx, bench)
        bench.memory.broken, bench.broken_line = set(), -1
        await check(ctx, bench)

    bench.simulate(body)


@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_stops_in_flight(stalls: bool, late: bool) -> None:
    """In every cycle of an instruction; bursts that were asked for end as they should."""
    one = replace(GOOD, size=40, count1=4, dram_stride1=4096 - 3, stride1=40)
    bench = Bench(machine(8, 16, 6), 2, stalls=stalls, late=late)

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
    stopped = bench.now
    # What is on the bus by now may still be written; bytes read later are not.
    before, pending = bench.dram.copy(), bytes_under_way(ctx, bench)
    bursts = bench.memory.bursts
    while not ctx.get(bench.dut.quiet):
        await bench.cycle(ctx)
        assert bench.memory.bursts == bursts and bench.now < stopped + 1000
    ctx.set(bench.dut.port.instruction, 0)
    assert not bench.memory.owes
    assert np.count_nonzero(before != bench.dram) <= pending
    reads = bench.reads
    for _ in range(5):
        assert await bench.cycle(ctx) == (0, 0)
    assert bench.reads == reads


def bytes_under_way(ctx: Any, bench: Bench) -> int:
    """At most: words taken and not written, and those that the engine holds."""
    taken = len(bench.memory.words) + sum(len(words) for words in bench.memory.filled)
    return (taken + 4) * bench.width


async def check(ctx: Any, bench: Bench) -> None:
    """The next instruction does what it should."""
    bench.wanted[:] = bench.dram
    apply(GOOD, bench.wanted, bench.chip)
    took, error = await bench.run(ctx, GOOD)
    assert error == 0 and np.array_equal(bench.dram, bench.wanted)
    assert bench.memory.rng is not None or bench.memory.late or took == cycles(GOOD, bench.machine)


def test_refuses_widths() -> None:
    with pytest.raises(ValueError, match="width must be a power of two in 1..128 bytes, not 3"):
        StoreEngine(width=3)
