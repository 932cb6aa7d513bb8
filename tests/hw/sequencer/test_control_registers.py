# amaranth: UnusedElaboratable=no
"""The registers are where docs/machine.md, section 9, says, and as wide."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from amaranth.sim import Simulator

from intarsia.arch.isa import Unit
from intarsia.hw.interfaces.axi import OKAY
from intarsia.hw.sequencer import control
from intarsia.hw.sequencer.control import Control
from intarsia.hw.sequencer.counters import Counters
from tests.arch.machines import MACHINE
from tests.hw.controlled import DEPTH, TABLE_DEPTH, Controlled, Units, simulate
from tests.hw.host import Host

PLACES = {
    "CONTROL": 0x00, "STATUS": 0x04, "CYCLES": 0x08, "ERROR": 0x10, "ERROR_SEGMENT": 0x14,
    "ERROR_ITERATION": 0x18, "ERROR_INDEX": 0x1C, "SEGMENTS": 0x20, "IDENTITY": 0x24, "VERSION": 0x28,
    "DEPTH": 0x2C, "TABLE_DEPTH": 0x30, "CODE": 0x34, "TRANSFERS": 0x38, "UNIT_COUNTERS": 0x100,
    "UNIT_STRIDE": 16, "PARAMETERS": 0x200, "TABLE": 0x1000, "TABLE_STRIDE": 128, "PROGRAMS": 0x100000,
    "PROGRAM_STRIDE": 0x100000, "START": 1, "FETCH": 2, "RUNNING": 1, "DONE": 2, "FAILED": 4,
}  # fmt: skip


def test_registers_are_where_the_document_says() -> None:
    assert {name: getattr(control, name) for name in PLACES} == PLACES


def test_high_and_low_words_of_every_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with a number of its own that fills it."""
    counters = Counters()
    monkeypatch.setattr(control, "Counters", lambda: counters)
    dut = Controlled(MACHINE, patience=100)
    places = {0x08: counters.cycles, 0x38: counters.transfers}
    for unit in Unit:
        place = 0x100 + 16 * unit
        places |= {place: counters.unit_busy[unit], place + 8: counters.unit_waiting[unit]}
    values = {place: 0xFEDC_BA98_7654_3210 >> 64 - len(one) ^ place for place, one in places.items()}

    async def body(ctx: Any, host: Host) -> None:
        for place, counter in places.items():
            ctx.set(counter, values[place])
        for place, value in values.items():
            assert await host.read(ctx, place, place + 4) == [value % (1 << 32), value >> 32]

    simulate(dut, Host(dut.bus), Units(), body)
    assert {len(counter) for counter in places.values()} == {48, 64}


def test_a_start_says_whether_to_fetch() -> None:
    """For one cycle, and from where."""
    dut = Control(MACHINE, depth=DEPTH, segments=TABLE_DEPTH)
    seen: list[tuple[int, int]] = []

    async def body(ctx: Any, host: Host) -> None:
        ctx.set(dut.idle, 1)
        ctx.set(dut.quiet, 1)
        assert await host.write(ctx, (0x20, 1), (0x34, 0x1234_5660)) == [OKAY] * 2
        for word, fetch in ((1, 0), (3, 1), (2, None), (1, 0), (0xFFFF_FFFD, 0), (0xFFFF_FFFF, 1)):
            seen.clear()
            assert await host.write(ctx, (0x00, word)) == [OKAY]
            for _ in range(3):
                await ctx.tick()
            assert seen == ([] if fetch is None else [(fetch, 0x1234_5660)])

    async def watch(ctx: Any) -> None:
        while True:
            if ctx.get(dut.start):
                seen.append((ctx.get(dut.fetch), ctx.get(dut.code)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(partial(body, host=Host(dut.bus)))
    simulator.add_testbench(watch, background=True)
    simulator.run()
