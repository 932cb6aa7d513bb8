# amaranth: UnusedElaboratable=no
"""The control registers: programs loaded and run through AXI4-Lite end as in the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from intarsia.arch.isa import Unit, Wait
from intarsia.arch.machine import KEYS
from intarsia.arch.program import Program
from intarsia.arch.timing import simulate_program
from intarsia.hw.interfaces.axi import OKAY, SLVERR
from intarsia.hw.sequencer.control import (
    CODE,
    CONTROL,
    CYCLES,
    DEPTH,
    DONE,
    ERROR,
    ERROR_INDEX,
    FAILED,
    IDENTITY,
    PARAMETERS,
    PROGRAM_STRIDE,
    PROGRAMS,
    RUNNING,
    SEGMENTS,
    STATUS,
    TABLE,
    TABLE_DEPTH,
    TABLE_STRIDE,
    TRANSFERS,
    UNIT_COUNTERS,
    UNIT_STRIDE,
    VERSION,
    Control,
)
from intarsia.hw.sequencer.sequencer import ERROR_LATENCY
from tests.arch.machines import MACHINE
from tests.arch.programs import ARGMAX, LOAD, MATMUL, program, programs, segment
from tests.hw import controlled
from tests.hw.controlled import START, Controlled, Units, finish, long, simulate, writes
from tests.hw.host import Host

NO_WAIT = ("barrier", "finished")


async def check_counters(ctx: Any, host: Host, units: Units, one: Program) -> None:
    timeline = simulate_program(one)
    assert await long(ctx, host, CYCLES, TRANSFERS) == [timeline.cycles, units.moved]
    assert units.ran == timeline.cycles
    for line in timeline.units:
        place = UNIT_COUNTERS + UNIT_STRIDE * line.unit
        busy = int((line.end - line.start).sum())
        waiting = sum(n for reason, n in line.stalls.items() if reason not in NO_WAIT)
        assert await long(ctx, host, place, place + 8) == [busy, waiting]
        assert units.spans[line.unit] == list(zip(line.start.tolist(), line.end.tolist(), strict=True))


@given(programs(rows=8, size=200, repeat=3))
@settings(max_examples=5, deadline=None)
def test_programs_take_as_long_as_in_the_emulator(one: Program) -> None:
    """Twice, without loading anything again."""
    dut, units = Controlled(one.machine, patience=5000), Units()

    async def body(ctx: Any, host: Host) -> None:
        assert set(await host.write(ctx, *writes(one))) == {OKAY}
        for _ in range(2):
            units.reset()
            assert await host.write(ctx, START) == [OKAY]
            assert await finish(ctx, host) == DONE
            await check_counters(ctx, host, units, one)

    simulate(dut, Host(dut.bus, np.random.default_rng(0)), units, body)


def test_says_what_the_machine_is() -> None:
    dut = Controlled(MACHINE, patience=100)
    fields = [field for _, field, allowed in KEYS if allowed is not None]

    async def body(ctx: Any, host: Host) -> None:
        identity = (await host.read(ctx, IDENTITY))[0]
        assert identity.to_bytes(4, "little") == b"INTA"
        found = await host.read(ctx, VERSION, DEPTH, TABLE_DEPTH)
        assert found == [1, controlled.DEPTH, controlled.TABLE_DEPTH]
        found = await host.read(ctx, *(PARAMETERS + 4 * k for k in range(len(fields))))
        assert found == [getattr(MACHINE, field) for field in fields]
        unmapped = (CONTROL, IDENTITY + 1, PARAMETERS + 4 * len(fields), TABLE, PROGRAMS)
        assert await host.read(ctx, *unmapped) == [0] * len(unmapped)
        assert await host.read(ctx, STATUS) == [0]

    simulate(dut, Host(dut.bus), Units(), body)


def test_refuses_writes_that_change_nothing() -> None:
    dut = Controlled(MACHINE, patience=100)
    table, last = TABLE + TABLE_STRIDE * controlled.TABLE_DEPTH, PROGRAMS + 6 * PROGRAM_STRIDE
    bad = {
        "a start without segments": START,
        "no segments": (SEGMENTS, 0),
        "more segments than the table holds": (SEGMENTS, controlled.TABLE_DEPTH + 1),
        "segments modulo 512": (SEGMENTS, 512 + 1),
        "a part of a word": (SEGMENTS, 1, 7),
        "instructions between two places": (CODE, 16),
        "no word": (SEGMENTS + 1, 1),
        "a register that is only read": (STATUS, 0),
        "the word behind a segment's last": (TABLE + 4 * 24, 0),
        "the segment behind the last": (table, 0),
        "the instruction behind the last": (last + 32 * controlled.DEPTH, 0),
    }
    good = {
        "a start that is none": (CONTROL, 0),
        "a segment's last word": (table - TABLE_STRIDE + 4 * 23, 0),
        "the last instruction": (last + 32 * controlled.DEPTH - 4, 0),
        "the number of segments": (SEGMENTS, controlled.TABLE_DEPTH),
        "where the instructions are": (CODE, (1 << 32) - 32),
    }

    async def body(ctx: Any, host: Host) -> None:
        for what, access in bad.items():
            assert await host.write(ctx, access) == [SLVERR], what
            assert await host.read(ctx, STATUS, SEGMENTS) == [0, 0], what
        for what, access in good.items():
            assert await host.write(ctx, access) == [OKAY], what
        found = await host.read(ctx, STATUS, SEGMENTS, CODE)
        assert found == [0, controlled.TABLE_DEPTH, (1 << 32) - 32]

    simulate(dut, Host(dut.bus), Units(), body)


ONE = program(
    segment({Unit.LOAD: [LOAD]}, name="first"),
    segment(
        {
            Unit.LOAD: [LOAD, Wait(Unit.ARRAY, 0), LOAD],
            Unit.ARRAY: [Wait(Unit.LOAD, 1), Wait(Unit.LOAD, 2), MATMUL],
            Unit.ELEMENTWISE: [ARGMAX],
        },
        3,
        name="second",
    ),
)


def test_ignores_writes_while_it_runs() -> None:
    dut, units = Controlled(ONE.machine, patience=5000), Units()

    async def body(ctx: Any, host: Host) -> None:
        await host.write(ctx, *writes(ONE))
        tries = [START, (SEGMENTS, 1), (CODE, 0), (TABLE + TABLE_STRIDE + 8, 1), (PROGRAMS + 28, 0)]
        assert await host.write(ctx, START, *tries) == [OKAY, *[SLVERR] * 5]
        assert await finish(ctx, host) == DONE
        await check_counters(ctx, host, units, ONE)

    simulate(dut, Host(dut.bus), units, body)


@pytest.mark.parametrize("noise", [0, 1, 50])
@pytest.mark.parametrize("pauses", [False, True])
def test_errors_are_kept_and_the_next_start_works(noise: int, pauses: bool) -> None:
    """The machine runs until all is quiet; the lowest unit's error counts."""
    dut, units = Controlled(ONE.machine, patience=5000), Units()

    async def body(ctx: Any, host: Host) -> None:
        await host.write(ctx, *writes(ONE))
        # The second iteration's product: its third instruction.
        units.errors, units.noise = {Unit.ARRAY: (1, 5)}, noise
        await host.write(ctx, START)
        while not ((status := (await host.read(ctx, STATUS))[0]) & FAILED):
            assert status == RUNNING
        if noise == 50 and not pauses:
            assert status == RUNNING | FAILED
            assert await host.write(ctx, START) == [SLVERR]
        assert await finish(ctx, host) == FAILED
        places = range(ERROR, ERROR_INDEX + 4, 4)
        assert await host.read(ctx, *places) == [5 | Unit.ARRAY << 8, 1, 1, 2]
        assert await long(ctx, host, CYCLES) == [units.spans[Unit.ARRAY][1][1] + ERROR_LATENCY]
        units.errors = {}
        units.reset()
        await host.write(ctx, START)
        assert await host.read(ctx, *places) == [0] * 4
        assert await finish(ctx, host) == DONE
        await check_counters(ctx, host, units, ONE)

    rng = np.random.default_rng(noise) if pauses else None
    simulate(dut, Host(dut.bus, rng), units, body)


def test_an_error_in_the_last_cycle_is_no_end() -> None:
    dut, units = Controlled(ONE.machine, patience=5000), Units()
    units.errors = {Unit.ARRAY: (2, 3)}

    async def body(ctx: Any, host: Host) -> None:
        await host.write(ctx, *writes(ONE), START)
        assert await finish(ctx, host) == FAILED
        assert await long(ctx, host, CYCLES) == [simulate_program(ONE).cycles]

    simulate(dut, Host(dut.bus), units, body)


def test_refuses_sizes() -> None:
    with pytest.raises(ValueError, match="depth must be in 1..32768, not 32769"):
        Control(MACHINE, depth=32769, segments=1)
    with pytest.raises(ValueError, match="segments must be in 1..256, not 257"):
        Control(MACHINE, depth=1, segments=257)
