# amaranth: UnusedElaboratable=no
"""AXI4-Lite's channels: order, pauses, throughput."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.hw.interfaces.axi import OKAY, SLVERR
from intarsia.hw.sequencer.lite import Lite
from tests.hw.host import Host

COUNT = 60


def run(host: Host, dut: Lite, body: Any) -> list[tuple[int, int]]:
    """The writes that come through: odd addresses are refused, and `address` * 3 is read."""
    seen: list[tuple[int, int]] = []

    async def registers(ctx: Any) -> None:
        while True:
            address = ctx.get(dut.write_address)
            ctx.set(dut.refused, address & 1)
            ctx.set(dut.read_data, 3 * ctx.get(dut.read_address))
            if ctx.get(dut.write):
                seen.append((address, ctx.get(dut.write_data)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(partial(body, host=host))
    simulator.add_testbench(registers, background=True)
    simulator.run()
    return seen


@pytest.mark.parametrize("pauses", [False, True])
def test_pairs_addresses_and_data(pauses: bool) -> None:
    rng = np.random.default_rng(pauses)
    writes = [
        (
            int(rng.integers(256)),
            int(rng.integers(1 << 32)),
            15 if rng.random() < 0.8 else int(rng.integers(15)),
        )
        for _ in range(COUNT)
    ]
    dut = Lite(address_bits=8)

    async def body(ctx: Any, host: Host) -> None:
        bad = [address & 1 or strobes != 15 for address, _, strobes in writes]
        assert await host.write(ctx, *writes) == [SLVERR if b else OKAY for b in bad]

    host = Host(dut.bus, rng if pauses else None)
    assert run(host, dut, body) == [(address, word) for address, word, strobes in writes if strobes == 15]
    if not pauses:
        assert host.cycles == COUNT + 2


@pytest.mark.parametrize("pauses", [False, True])
def test_reads_in_order(pauses: bool) -> None:
    rng = np.random.default_rng(pauses)
    addresses = rng.integers(0, 256, COUNT).tolist()
    dut = Lite(address_bits=8)

    async def body(ctx: Any, host: Host) -> None:
        assert await host.read(ctx, *addresses) == [3 * address for address in addresses]

    host = Host(dut.bus, rng if pauses else None)
    run(host, dut, body)
    if not pauses:
        assert host.cycles == COUNT + 2


def test_answers_do_not_wait_to_be_taken() -> None:
    """`valid` comes whether `ready` is high or not, and stays."""
    dut = Lite(address_bits=8)
    bus = dut.bus

    async def body(ctx: Any, host: Host) -> None:
        for channel in (bus.aw, bus.w, bus.ar):
            ctx.set(channel.valid, 1)
        ctx.set(bus.w.strb, 15)
        await ctx.tick()
        for channel in (bus.aw, bus.w, bus.ar):
            ctx.set(channel.valid, 0)
        await ctx.tick()
        for _ in range(5):
            assert ctx.get(bus.r.valid) and not ctx.get(bus.b.resp)
            await ctx.tick()
            assert ctx.get(bus.b.valid)
        ctx.set(bus.b.ready, 1)
        ctx.set(bus.r.ready, 1)
        await ctx.tick()
        assert not ctx.get(bus.b.valid) and not ctx.get(bus.r.valid)

    assert run(Host(bus), dut, body) == [(0, 0)]
