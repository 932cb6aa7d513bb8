"""The counters: what each counts, and how far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from intarsia.hw.sequencer.counters import Counters
from intarsia.hw.sequencer.queue import UNITS
from tests.hw.sizes import COUNTER_BITS, CYCLE_BITS


def simulate(dut: Any, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def shown(ctx: Any, dut: Counters) -> list[int]:
    """Cycles, transfers, then units: busy, waiting."""
    return [ctx.get(one) for one in (dut.cycles, dut.transfers, *dut.unit_busy, *dut.unit_waiting)]


def test_counts_what_is_high_while_it_runs() -> None:
    """Since the last start or reset. Bytes cross the memory port while a program is fetched too, which is
    not counted."""
    rng = np.random.default_rng(0)
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.counters = dut = Counters(cycle_bits=CYCLE_BITS, counter_bits=COUNTER_BITS)

    async def bench(ctx: Any) -> None:
        wanted = [0] * (2 + 2 * UNITS)
        limits = [1 << CYCLE_BITS, *[1 << COUNTER_BITS] * (1 + 2 * UNITS)]
        for _ in range(3000):
            assert shown(ctx, dut) == wanted
            running, moved = (int(rng.random() < 0.8) for _ in range(2))
            busy, waiting = (int(rng.integers(1 << UNITS)) for _ in range(2))
            clear, reset = (int(rng.random() < 0.003) for _ in range(2))
            ctx.set(domain.rst, reset)
            ctx.set(dut.running, running)
            ctx.set(dut.moved, moved)
            ctx.set(dut.busy, busy)
            ctx.set(dut.waiting, waiting)
            ctx.set(dut.clear, clear)
            units = [mask >> unit & 1 for mask in (busy, waiting) for unit in range(UNITS)]
            events = [running, running & moved, *units]
            counted = zip(wanted, events, limits, strict=True)
            wanted = [0 if clear or reset else (count + event) % limit for count, event, limit in counted]
            # As `tick` without a domain, which would wait for the end of a reset.
            await ctx.posedge(domain.clk)

    simulate(m, bench)


@pytest.mark.parametrize("bits", [31, 32, 39, 40, 47])
def test_counters_of_an_accelerator_go_far(bits: int) -> None:
    """From the last number of so many bits to the next; 48 and 64 bits in all."""
    dut = Counters()

    async def bench(ctx: Any) -> None:
        every = (dut.cycles, dut.transfers, *dut.unit_busy, *dut.unit_waiting)
        for counter in every:
            ctx.set(counter, (1 << bits) - 1)
        for signal, value in ((dut.running, 1), (dut.moved, 1), (dut.busy, -1), (dut.waiting, -1)):
            ctx.set(signal, value)
        await ctx.tick()
        assert shown(ctx, dut) == [1 << bits] + [1 << bits if bits < 48 else 0] * (len(every) - 1)
        ctx.set(dut.cycles, (1 << 63) - 1)
        await ctx.tick()
        assert ctx.get(dut.cycles) == 1 << 63

    simulate(dut, bench)
    assert [len(dut.cycles), len(dut.transfers), len(dut.unit_busy[0]), len(dut.unit_waiting[6])] == [
        64, 48, 48, 48,
    ]  # fmt: skip
