# amaranth: UnusedElaboratable=no
"""The control registers alone: every bit that the host writes or reads, at the ports to the sequencer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from intarsia.arch.isa import Unit
from intarsia.arch.machine import KEYS
from intarsia.hw.interfaces.axi import OKAY, SLVERR
from intarsia.hw.sequencer.control import Control
from tests.arch.machines import MACHINE
from tests.hw.controlled import DEPTH, TABLE_DEPTH, long
from tests.hw.host import Host

CONTROL, STATUS, SEGMENTS, CODE = 0x00, 0x04, 0x20, 0x34
ERRORS = (0x10, 0x14, 0x18, 0x1C)
CYCLES, TRANSFERS = 0x08, 0x38
PATTERNS = (0xFFFF_FFFF, 0, 0x5555_5555, 0xAAAA_AAAA, *(1 << bit for bit in range(32)))
PARAMETERS = [0x200 + 4 * k for k in range(sum(allowed is not None for _, _, allowed in KEYS))]
UNITS = [0x100 + 16 * unit + 4 * k for unit in Unit for k in range(4)]
READABLE = {*range(0x04, 0x40, 4), *UNITS, *PARAMETERS}
"""Where something other than 0 may stand."""
Seen = list[tuple[int, ...]]
Body = Callable[[Any, Host, "Bench"], Awaitable[None]]


class Bench:
    """The registers, with ports that a test sets; what they say to the sequencer is kept."""

    def __init__(self) -> None:
        self.dut = Control(MACHINE, depth=DEPTH, segments=TABLE_DEPTH)
        self.instructions: Seen = []
        self.descriptions: Seen = []
        self.starts: Seen = []

    def clear(self) -> None:
        for seen in (self.instructions, self.descriptions, self.starts):
            seen.clear()

    async def watch(self, ctx: Any) -> None:
        dut = self.dut
        while True:
            for seen, valid, names in (
                (self.instructions, dut.write, ("write_unit", "write_address", "write_data")),
                (self.descriptions, dut.describe, ("describe_segment", "describe_word", "describe_data")),
                (self.starts, dut.start, ("fetch", "segments", "code")),
            ):
                if ctx.get(valid):
                    seen.append(tuple(ctx.get(getattr(dut, name)) for name in names))
            await ctx.tick()

    def simulate(self, body: Body) -> None:
        async def bench(ctx: Any) -> None:
            ctx.set(self.dut.idle, 1)
            ctx.set(self.dut.quiet, 1)
            await body(ctx, Host(self.dut.bus), self)

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-8)
        simulator.add_testbench(bench)
        simulator.add_testbench(self.watch, background=True)
        simulator.run()


async def settle(ctx: Any) -> None:
    for _ in range(3):
        await ctx.tick()


def test_every_bit_of_the_registers_that_are_written() -> None:
    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        for segments in (*range(TABLE_DEPTH + 2), *PATTERNS, *(1 << bit | 1 for bit in range(3, 32)), 4):
            before = (await host.read(ctx, SEGMENTS))[0]
            good = 1 <= segments <= TABLE_DEPTH
            assert await host.write(ctx, (SEGMENTS, segments)) == [OKAY if good else SLVERR]
            assert await host.read(ctx, SEGMENTS) == [segments if good else before]
            assert ctx.get(bench.dut.segments) == (segments if good else before)
        for word in PATTERNS:
            before = (await host.read(ctx, CODE))[0]
            assert await host.write(ctx, (CODE, word)) == [SLVERR if word % 32 else OKAY]
            assert await host.read(ctx, CODE) == [before if word % 32 else word]
        assert await host.write(ctx, (CODE, 0xFFFF_FFE0)) == [OKAY]
        assert await host.read(ctx, CODE, SEGMENTS) == [0xFFFF_FFE0, TABLE_DEPTH]
        # Bit 0 starts, bit 1 says whether to fetch, the others say nothing.
        for word in PATTERNS:
            bench.clear()
            assert await host.write(ctx, (CONTROL, word)) == [OKAY]
            await settle(ctx)
            assert bench.starts == ([(word >> 1 & 1, TABLE_DEPTH, 0xFFFF_FFE0)] if word & 1 else [])
        assert not bench.instructions and not bench.descriptions

    Bench().simulate(body)


def test_parts_of_words_are_refused() -> None:
    """With any strobes but all four, wherever they go."""
    places = (CONTROL, SEGMENTS, CODE, 0x1000, 0x100000 + 28)

    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        await host.write(ctx, (SEGMENTS, 2), (CODE, 64))
        for at in places:
            answers = await host.write(ctx, *((at, 1 if at == SEGMENTS else 0x21, s) for s in range(15)))
            assert answers == [SLVERR] * 15
        await settle(ctx)
        assert await host.read(ctx, SEGMENTS, CODE, STATUS) == [2, 64, 0]
        assert not bench.starts and not bench.instructions and not bench.descriptions

    Bench().simulate(body)


def test_the_table() -> None:
    """Every word of every segment; what is behind either is refused, however far."""

    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        places = [(row, column) for row in range(TABLE_DEPTH) for column in range(24)]
        words = [PATTERNS[k % len(PATTERNS)] for k in range(len(places))]
        pairs = list(zip(places, words, strict=True))
        writes = [(0x1000 + 128 * row + 4 * column, word) for (row, column), word in pairs]
        assert await host.write(ctx, *writes) == [OKAY] * len(writes)
        await settle(ctx)
        assert bench.descriptions == [(*place, word) for place, word in pairs]
        bench.clear()
        behind = [0x1000 + 128 * row + 4 * column for row in range(TABLE_DEPTH) for column in range(24, 32)]
        far = [0x1000 + (TABLE_DEPTH << bit) * 128 for bit in range(20) if (TABLE_DEPTH << bit) < 0x1FE0]
        between = [at + offset for at in (0x1000, 0x1004, 0x117C) for offset in (1, 2, 3)]
        bad = [(at, 1) for at in behind + far + between]
        assert await host.write(ctx, *bad) == [SLVERR] * len(bad)
        await settle(ctx)
        assert not bench.descriptions

    Bench().simulate(body)


def test_the_program_memories() -> None:
    """Every address bit, every bit of an instruction, words in any order before the last."""
    rng = np.random.default_rng(0)

    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        wanted = []
        for unit in Unit:
            for place in (0, *(1 << bit for bit in range(DEPTH.bit_length() - 1)), DEPTH - 1):
                words = [int(word) for word in rng.integers(0, 1 << 32, 8)]
                base = 0x100000 * (unit + 1) + 32 * place
                order = [*rng.permutation(7).tolist(), 7]
                writes = [(base + 4 * k, words[k]) for k in order]
                assert await host.write(ctx, *writes) == [OKAY] * 8
                wanted.append((int(unit), place, sum(word << 32 * k for k, word in enumerate(words))))
        await settle(ctx)
        assert bench.instructions == wanted
        bench.clear()
        far = [DEPTH << bit for bit in range(20) if DEPTH << bit < 1 << 15]
        bad = [(0x100000 * (unit + 1) + 32 * place + 28, 1) for unit in Unit for place in far]
        bad += [(0x100000 + 28 + offset, 1) for offset in (1, 2, 3)]
        assert await host.write(ctx, *bad) == [SLVERR] * len(bad)
        # A word that comes after the last stays for the next instruction.
        assert await host.write(ctx, (0x100000 + 28, 5)) == [OKAY]
        await settle(ctx)
        last = wanted[-1][2] % (1 << 224)
        assert bench.instructions == [(0, 0, last | 5 << 224)]

    Bench().simulate(body)


def test_the_error_registers() -> None:
    """Every bit of each; kept until the next start, which the error does not prevent."""
    ports = ("error", "error_unit", "error_segment", "error_iteration", "error_index")

    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        dut = bench.dut
        await host.write(ctx, (SEGMENTS, 1))
        widths = {name: len(getattr(dut, name)) for name in ports}
        for bit in range(max(widths.values())):
            assert await host.write(ctx, (CONTROL, 1)) == [OKAY]
            assert await host.read(ctx, *ERRORS) == [0] * 4
            values = {name: 1 << (bit + k) % width for k, (name, width) in enumerate(widths.items())}
            for name, value in values.items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            for name, value in values.items():  # without an error the others say nothing
                ctx.set(getattr(dut, name), 0 if name == "error" else ~value)
            code, unit, *place = values.values()
            await settle(ctx)
            assert await host.read(ctx, *ERRORS) == [code | unit << 8, *place]
            await settle(ctx)
        ctx.set(dut.error, 0)

    Bench().simulate(body)


def test_status_and_refusals_while_it_runs() -> None:
    """Running from the start until the sequencer is idle and all is quiet, done only without an error."""

    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        dut = bench.dut
        writes = [(CONTROL, 1), (SEGMENTS, 2), (CODE, 32), (0x1000, 3), (0x100000 + 28, 4)]
        await host.write(ctx, (SEGMENTS, 1))
        for idle, quiet in ((0, 0), (0, 1), (1, 0)):
            for error in (0, 1):
                ctx.set(dut.idle, idle)
                ctx.set(dut.quiet, quiet)
                assert await host.write(ctx, (CONTROL, 1)) == [OKAY]
                bench.clear()
                ctx.set(dut.error, error)
                await ctx.tick()
                ctx.set(dut.error, 0)
                assert await host.write(ctx, *writes) == [SLVERR] * len(writes)
                await settle(ctx)
                assert not bench.starts and not bench.instructions and not bench.descriptions
                assert await host.read(ctx, STATUS, SEGMENTS, CODE) == [5 if error else 1, 1, 0]
                ctx.set(dut.idle, 1)
                ctx.set(dut.quiet, 1)
                await settle(ctx)
                assert await host.read(ctx, STATUS) == [4 if error else 2]

    Bench().simulate(body)


def test_every_counter_is_the_one_that_is_read() -> None:
    """Each counts another number of cycles; a start clears them all."""

    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        dut = bench.dut
        await host.write(ctx, (SEGMENTS, 1), (CONTROL, 1))
        busy = [300 + 37 * unit for unit in Unit]
        waiting = [200 - 23 * unit for unit in Unit]
        cycles, moved = 600, 411
        for now in range(cycles):
            ctx.set(dut.running, 1)
            ctx.set(dut.busy, sum((now < n) << unit for unit, n in enumerate(busy)))
            ctx.set(dut.waiting, sum((now < n) << unit for unit, n in enumerate(waiting)))
            ctx.set(dut.moved, now < moved)
            await ctx.tick()
        for port in (dut.running, dut.busy, dut.waiting, dut.moved):
            ctx.set(port, 0)
        assert await long(ctx, host, CYCLES, TRANSFERS) == [cycles, moved]
        at = [0x100 + 16 * unit for unit in Unit]
        assert await long(ctx, host, *at) == busy
        assert await long(ctx, host, *(place + 8 for place in at)) == waiting
        await host.write(ctx, (CONTROL, 1))
        assert await long(ctx, host, CYCLES, TRANSFERS, *at) == [0] * (2 + len(at))

    Bench().simulate(body)


def test_what_is_only_read_and_what_is_nowhere() -> None:
    """Constants are what they are, whatever is written there; everything else reads as 0."""
    numbers = [getattr(MACHINE, field) for _, field, allowed in KEYS if allowed is not None]
    wanted = {0x24: int.from_bytes(b"INTA", "little"), 0x28: 1, 0x2C: DEPTH, 0x30: TABLE_DEPTH}
    wanted |= dict(zip(PARAMETERS, numbers, strict=True))
    nowhere = {at ^ 1 << bit for at in READABLE for bit in range(23)} - READABLE
    nowhere |= set(range(0x400)) - READABLE

    async def body(ctx: Any, host: Host, bench: Bench) -> None:
        only_read = sorted(READABLE - {SEGMENTS, CODE})
        for word in (0, 0xFFFF_FFFF, 1):
            answers = await host.write(ctx, *((at, word) for at in only_read))
            assert answers == [SLVERR] * len(only_read)
        assert await host.read(ctx, *wanted) == list(wanted.values())
        # With something in all registers that are not constants, no neighbour shows it.
        await host.write(ctx, (SEGMENTS, 3), (CODE, 0xFFFF_FFE0), (CONTROL, 1))
        for port in ("running", "busy", "waiting", "moved"):
            ctx.set(getattr(bench.dut, port), -1)
        await settle(ctx)
        assert not any(await host.read(ctx, *sorted(nowhere)))
        assert await host.read(ctx, *wanted) == list(wanted.values())

    Bench().simulate(body)
