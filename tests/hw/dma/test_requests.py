"""Requests: how many bursts may be owed, and what the channel shows meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.hw.dma.requests import OWED_BITS, Requests
from intarsia.hw.interfaces.axi import BUFFERABLE, INCR
from intarsia.hw.interfaces.transfer import log2

WIDTH = 8
MOST = (1 << OWED_BITS) - 1
ORIGIN = 1 << 12
STRIDE = 64
Body = Any


def simulate(dut: Requests, body: Body) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(body)
    simulator.run()


def describe(ctx: Any, dut: Requests, pieces: tuple[int, int]) -> None:
    """So many pieces of a word each, in two loops."""
    transfer = dut.transfer
    values = {"dram": ORIGIN, "size": WIDTH, "count1": pieces[0], "count2": pieces[1]}
    values |= {"dram_stride1": STRIDE, "dram_stride2": STRIDE * pieces[0]}
    for name, value in values.items():
        ctx.set(getattr(transfer, name), value)


def test_never_more_are_owed_than_can_be_counted() -> None:
    """From nearly so many on: it asks for the last that fits, and for one more after every answer."""
    dut = Requests(width=WIDTH)

    async def body(ctx: Any) -> None:
        describe(ctx, dut, (1000, 1000))
        ctx.set(dut.channel.ready, 1)
        ctx.set(dut.owed, MOST - 5)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        owed, taken = MOST - 5, 0
        for cycle in range(60):
            answered = cycle in (30, 33, 34, 50)
            ctx.set(dut.answered, answered)
            assert ctx.get(dut.owed) == owed <= MOST
            given = ctx.get(dut.given)
            assert not given or owed < MOST
            if ctx.get(dut.channel.valid):
                assert ctx.get(dut.channel.addr) == ORIGIN + STRIDE * taken
                taken += 1
            owed += given - answered
            await ctx.tick()
        assert taken == 5 + 4 and owed == MOST

    simulate(dut, body)


@pytest.mark.parametrize("pauses", [False, True])
def test_asks_for_every_piece_once(pauses: bool) -> None:
    dut = Requests(width=WIDTH)
    rng = np.random.default_rng(3)

    async def body(ctx: Any) -> None:
        describe(ctx, dut, (7, 9))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        taken, cycle = 0, 0
        while taken < 63:
            ready = not pauses or bool(rng.random() < 0.5)
            ctx.set(dut.channel.ready, ready)
            channel = dut.channel
            if ctx.get(channel.valid):
                assert ctx.get(channel.addr) == ORIGIN + STRIDE * taken
                fields = (channel.len, channel.size, channel.burst, channel.cache)
                assert [ctx.get(field) for field in fields] == [0, log2(WIDTH), INCR, BUFFERABLE]
                assert [ctx.get(f) for f in (channel.id, channel.lock, channel.prot, channel.qos)] == [
                    0
                ] * 4
                taken += ready
            await ctx.tick()
            cycle += 1
            assert cycle < 1000
        assert not ctx.get(dut.more) and ctx.get(dut.owed) == 63
        assert pauses or cycle == 64

    simulate(dut, body)
