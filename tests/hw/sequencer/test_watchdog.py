# amaranth: UnusedElaboratable=no
"""The watchdog: alone, and around programs that cannot go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.arch.isa import Unit, Wait
from intarsia.arch.program import Program
from intarsia.hw.sequencer.control import CYCLES, DONE, ERROR, FAILED
from intarsia.hw.sequencer.sequencer import ERROR_LATENCY, WATCHDOG_ERROR
from intarsia.hw.sequencer.watchdog import PATIENCE, Watchdog
from tests.arch.programs import ARGMAX, LOAD, MATMUL, STORE, program, segment
from tests.hw.controlled import START, Controlled, Units, finish, long, simulate, writes
from tests.hw.host import Host

LIMIT = 300


@pytest.mark.parametrize("patience", [1, 2, 7, 8])
def test_counts_what_follows_without_a_break(patience: int) -> None:
    """Against counting in Python, over random cycles of which most are still."""
    rng = np.random.default_rng(patience)
    dut = Watchdog(patience=patience)

    async def bench(ctx: Any) -> None:
        still, expired = 0, 0
        for _ in range(2000):
            running, moved = int(rng.random() < 0.95), int(rng.random() < 0.05)
            busy = int(rng.integers(4)) if rng.random() < 0.95 else int(rng.integers(128))
            ctx.set(dut.running, running)
            ctx.set(dut.moved, moved)
            ctx.set(dut.busy, busy)
            assert ctx.get(dut.expired) == expired
            still = still + 1 if running and not moved and busy < 4 else 0
            expired = int(still > 0 and still % patience == 0)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


STUCK: dict[str, tuple[Program, Unit, int]] = {
    "waits for itself": (
        program(segment({Unit.ELEMENTWISE: [Wait(Unit.ELEMENTWISE, 1), ARGMAX]})),
        Unit.ELEMENTWISE,
        0,
    ),
    "waits for each other": (
        program(
            segment(
                {
                    Unit.ARRAY: [MATMUL, Wait(Unit.ELEMENTWISE, 1), MATMUL],
                    Unit.ELEMENTWISE: [Wait(Unit.ARRAY, 2), ARGMAX],
                }
            )
        ),
        Unit.ARRAY,
        1,
    ),
    "a bus that does not answer": (
        program(segment({Unit.STORE: [STORE], Unit.ARRAY: [Wait(Unit.STORE, 1), MATMUL]})),
        Unit.STORE,
        0,
    ),
}


@pytest.mark.parametrize("kind", STUCK)
def test_ends_programs_that_cannot_go_on(kind: str) -> None:
    one, unit, index = STUCK[kind]
    dut, units = Controlled(one.machine, patience=LIMIT), Units()
    units.endless = {Unit.STORE}

    async def body(ctx: Any, host: Host) -> None:
        await host.write(ctx, *writes(one), START)
        assert await finish(ctx, host) == FAILED
        words = await host.read(ctx, *range(ERROR, ERROR + 16, 4))
        assert words == [WATCHDOG_ERROR | unit << 8, 0, 0, index]
        work = max((end for line in units.spans[2:] for _, end in line), default=0)
        assert await long(ctx, host, CYCLES) == [work + LIMIT + 1 + ERROR_LATENCY]

    simulate(dut, Host(dut.bus), units, body)


def test_leaves_long_instructions_alone() -> None:
    """A product, and a LOAD whose bytes keep coming."""
    for moving, one in (
        (True, program(segment({Unit.LOAD: [LOAD] * 4}))),
        (False, program(segment({Unit.LOAD: [LOAD], Unit.ARRAY: [MATMUL]}))),
    ):
        dut, units = Controlled(one.machine, patience=10), Units()
        units.moving = moving

        async def body(ctx: Any, host: Host, one: Program = one) -> None:
            await host.write(ctx, *writes(one), START)
            assert await finish(ctx, host) == DONE

        simulate(dut, Host(dut.bus), units, body)


def test_patience() -> None:
    assert PATIENCE == 1 << 24
    with pytest.raises(ValueError, match="patience must be at least 1, not 0"):
        Watchdog(patience=0)
