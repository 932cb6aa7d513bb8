# amaranth: UnusedElaboratable=no
"""What the mutants of the toy are played with."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator

from tests.sim.suite.toy import Toy


def simulate(dut: Toy, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("first", [3, 5])
def test_adds(first: int) -> None:
    dut = Toy(first=first)

    async def bench(ctx: Any) -> None:
        wanted = first
        for begin in range(16):
            for b in range(16):
                assert ctx.get(dut.sum) == wanted
                ctx.set(dut.begin, begin)
                ctx.set(dut.b, b)
                assert ctx.get(dut.over) == (begin > b)
                await ctx.tick()
                wanted = begin + b
                assert ctx.get(dut.sum) == wanted

    simulate(dut, bench)


def test_looks_away() -> None:
    dut = Toy(first=3)

    async def bench(ctx: Any) -> None:
        assert ctx.get(dut.sum) in range(32)
        await ctx.tick()

    simulate(dut, bench)


def test_is_about_another() -> None:
    dut = Toy(first=4)

    async def bench(ctx: Any) -> None:
        assert ctx.get(dut.sum) == 4

    simulate(dut, bench)
