from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.hw.interfaces.stream import BUFFER_LATENCY, TrailingBuffer


def run(buffer, testbench):
    simulator = Simulator(buffer)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("trailing", [1, 2, 3, 6])
@pytest.mark.parametrize("readiness", [0.02, 0.5, 0.95])
def test_beats_that_come_late_are_kept_in_order(trailing, readiness):
    """The source sees in every cycle whether the buffer is ready, and its beat arrives so much later."""
    buffer = TrailingBuffer(16, trailing)
    rng = np.random.default_rng(1)

    async def testbench(ctx):
        coming = deque([False] * trailing)
        sent = received = most = 0
        for _ in range(1500):
            coming.append(bool(ctx.get(buffer.i.ready)) and rng.random() < 0.9)
            arrives = coming.popleft()
            ctx.set(buffer.i.valid, arrives)
            ctx.set(buffer.i.payload, sent)
            sent += arrives
            ready = rng.random() < readiness
            ctx.set(buffer.o.ready, ready)
            if ctx.get(buffer.o.valid):
                assert ctx.get(buffer.o.payload) == received
                received += ready
            await ctx.tick()
            assert ctx.get(buffer.o.valid) == (sent > received)
            most = max(most, sent - received)
        assert received > 10
        if readiness < 0.1:
            assert most == buffer.depth + 1

    run(buffer, testbench)


def test_a_beat_per_cycle_passes_in_a_cycle_each():
    buffer = TrailingBuffer(8, 3)

    async def testbench(ctx):
        ctx.set(buffer.o.ready, 1)
        ctx.set(buffer.i.valid, 1)
        for cycle in range(20):
            ctx.set(buffer.i.payload, cycle)
            assert ctx.get(buffer.i.ready)
            if cycle >= BUFFER_LATENCY:
                assert ctx.get(buffer.o.valid)
                assert ctx.get(buffer.o.payload) == cycle - BUFFER_LATENCY
            await ctx.tick()

    run(buffer, testbench)
