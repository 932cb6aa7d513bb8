# amaranth: UnusedElaboratable=no
"""hw.shiftmax against model.integer.arithmetic, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal, Value
from amaranth.sim import Simulator

from intarsia.arch.duration import DIVIDE
from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.lib.divide import SerialDivider
from intarsia.hw.units.shiftmax.core import E_BITS, F_BITS, Shiftmax
from intarsia.sim.payload import Payload
from intarsia.sim.units.shiftmax import Constants, ShiftmaxBench
from tests.hw.driver import play


def short(transactions, beats=60):
    return [t for t in transactions if len(t.output[""]) <= beats]


@pytest.mark.parametrize("lanes, every", [(2, 3), (4, 5)])
def test_directed(lanes, every):
    core = Shiftmax(lanes=lanes, max_length=20 * lanes)
    directed = short(ShiftmaxBench(core).directed(np.random.default_rng(1)))
    play(Unit(core), directed[::every])


@pytest.mark.parametrize("lanes, max_length", [(1, 40), (1, 1), (2, 4096), (16, 100)])
def test_random(lanes, max_length):
    core = Shiftmax(lanes=lanes, max_length=max_length)
    play(Unit(core), islice(ShiftmaxBench(core).random(np.random.default_rng(2)), 16 // lanes + 2))


@pytest.mark.parametrize("lanes", [1, 4])
def test_random_with_gaps(lanes):
    """Commands wait for each other, beats come late and results are not taken."""
    core = Shiftmax(lanes=lanes, max_length=400)
    rng = np.random.default_rng(3)
    play(Unit(core), islice(ShiftmaxBench(core).random(rng), 12), rng)


@pytest.mark.parametrize("beats", [1, 2, DIVIDE - 1, DIVIDE, DIVIDE + 1, 30])
def test_rows_in_flight_keep_their_own_maximum_and_sum(beats):
    """Around the length at which the divider stops setting the pace, with buffers just long enough."""
    core = Shiftmax(lanes=2, max_length=2 * beats)
    rng = np.random.default_rng(beats)
    bench = ShiftmaxBench(core)
    scores = rng.integers(-40, 20, (6, 2 * beats)) + 20 * rng.integers(-4, 5, (6, 1))
    play(Unit(core), [bench._transaction("rows", scores, Constants(reciprocal_bits=46), rng)])


def test_reset_drops_what_is_in_flight():
    """Whenever it comes, the next command's results are exact and nothing stale leaves."""
    core = Shiftmax(lanes=2, max_length=64)
    unit, rng = Unit(core), np.random.default_rng(4)
    bench = ShiftmaxBench(core)
    transactions = [
        bench._transaction("rows", rng.integers(-128, 128, (3, length)), Constants(), rng)
        for length in (1, 9, 40)
    ]
    shapes = {"command": core.command_shape, **core.input_shapes}

    async def feed(ctx, transaction, cycles):
        beats = {name: Payload.of(shapes[name]).pack(transaction.inputs[name]) for name in shapes}
        results = []
        for _ in range(cycles):
            for name in shapes:
                stream = getattr(unit, name)
                ctx.set(stream.valid, bool(beats[name]))
                ctx.set(Value.cast(stream.payload), beats[name][0] if beats[name] else 0)
            taken = [name for name in shapes if beats[name] and ctx.get(getattr(unit, name).ready)]
            if ctx.get(unit.o.valid):
                results.append(ctx.get(Value.cast(unit.o.payload)))
            await ctx.tick()
            for name in taken:
                beats[name].pop(0)
        return results

    async def play_twice(ctx):
        ctx.set(unit.o.ready, 1)
        for cut in range(5, 160, 13):
            await feed(ctx, transactions[cut % 3], cut)
            for name in shapes:
                ctx.set(getattr(unit, name).valid, 0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            transaction = transactions[(cut + 1) % 3]
            results = await feed(ctx, transaction, transaction.cycles + 8)
            assert results == Payload.of(core.result_shape).pack(transaction.output), cut

    simulator, reset = _resettable(unit)
    simulator.add_clock(1e-8)
    simulator.add_testbench(play_twice)
    simulator.run()


def _resettable(unit):
    reset = Signal()
    return Simulator(ResetInserter(reset)(unit)), reset


def test_divider_is_ready_when_the_closed_form_says_so():
    assert SerialDivider(dividend_bits=F_BITS, divisor_bits=E_BITS).interval == DIVIDE


def test_directed_hits_every_bin():
    for lanes in (8, 64):
        bench = ShiftmaxBench(Shiftmax(lanes=lanes))
        assert set().union(*(t.bins for t in bench.directed(np.random.default_rng(5)))) == set(bench.BINS)


@pytest.mark.parametrize("lanes", [0, 3, 512, -8])
def test_lanes_that_are_no_power_of_two_are_refused(lanes):
    with pytest.raises(ValueError, match=f"lanes must be a power of two in 1..256, not {lanes}"):
        Shiftmax(lanes=lanes)


@pytest.mark.parametrize("max_length", [0, -1, 65536])
def test_lengths_that_no_command_can_say_are_refused(max_length):
    with pytest.raises(ValueError, match=f"max_length must be in 1..65535, not {max_length}"):
        Shiftmax(lanes=4, max_length=max_length)
