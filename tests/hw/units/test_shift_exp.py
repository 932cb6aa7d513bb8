# amaranth: UnusedElaboratable=no
"""hw.shift_exp against model.integer.arithmetic, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.shift_exp.core import NO_CLAMP, ShiftExp, ShiftExpVector, clamp
from intarsia.model.integer.arithmetic import I31, shift_exp
from intarsia.sim.units.shift_exp.bench import ShiftExpBench
from tests.hw.driver import play


def test_directed():
    core = ShiftExpVector(lanes=8)
    every_form = list(ShiftExpBench(core).directed(np.random.default_rng(1)))[::9]
    play(Unit(core), every_form)


@pytest.mark.parametrize("lanes", [1, 2, 32])
def test_random(lanes):
    core = ShiftExpVector(lanes=lanes)
    play(Unit(core), islice(ShiftExpBench(core).random(np.random.default_rng(2)), 60 // lanes + 2))


def test_random_with_gaps():
    core = ShiftExpVector(lanes=4)
    rng = np.random.default_rng(3)
    play(Unit(core), islice(ShiftExpBench(core).random(rng), 25), rng)


def test_directed_hits_every_bin():
    bench = ShiftExpBench(ShiftExpVector(lanes=8))
    assert set().union(*(t.bins for t in bench.directed(np.random.default_rng(4)))) == set(bench.BINS)


@pytest.mark.parametrize("d_bits, positive", [(8, False), (9, False), (10, False), (8, True), (9, True)])
def test_lanes_of_other_widths(d_bits, positive):
    """Shiftmax has 9 bits and no positive d."""
    lane = ShiftExp(d_bits=d_bits, positive=positive)
    lowest = -(1 << d_bits - 1)
    d = np.arange(lowest, -lowest if positive else 1)[:: 3 if d_bits == 9 else 1]
    d[-1] = -lowest - 1 if positive else 0
    constants = [(1, 15, 1), (16, 15, 1), (41, 23, 6), (368, 31, None)]

    async def bench(ctx):
        for i0, n, lam in constants:
            ctx.set(lane.i0, i0)
            ctx.set(lane.n, n)
            ctx.set(lane.bound, clamp(n, lam))
            got = []
            for value in (*d.tolist(), *[0] * ShiftExp.LATENCY):
                ctx.set(lane.d, value)
                got.append(ctx.get(lane.e))
                await ctx.tick()
            expected = np.minimum(shift_exp(d, i0, n=n, lam=lam), I31)
            assert got[ShiftExp.LATENCY :] == expected.tolist()

    simulator = Simulator(lane)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@settings(max_examples=300, deadline=None)
@given(
    d=st.integers(-512, 511),
    i0=st.one_of(st.integers(1, 800), st.integers(1, 2**23)),
    n=st.integers(1, 31),
    lam=st.one_of(st.none(), st.integers(1, 65535)),
)
def test_quotients_from_63_on_need_no_exact_value(d, i0, n, lam):
    """What lets the quotient have 6 bits, and a clamp above 62 be none."""
    e = min(int(shift_exp(d, i0, n=n, lam=lam)), I31)
    q = -(d + (d >> 1) - (d >> 4)) // i0
    if q >= NO_CLAMP and clamp(n, lam) == NO_CLAMP:
        assert e == 0
    if q <= -NO_CLAMP:
        assert e == I31


@pytest.mark.parametrize(
    "n, lam, bound", [(15, 1, 15), (23, 2, 46), (31, 3, 63), (1, 65535, 63), (12, None, 63)]
)
def test_clamp(n, lam, bound):
    assert clamp(n, lam) == bound


@pytest.mark.parametrize("d_bits", [0, 7, 11])
def test_widths_that_no_unit_has_are_refused(d_bits):
    with pytest.raises(ValueError, match=f"d_bits must be in 8..10, not {d_bits}"):
        ShiftExp(d_bits=d_bits)


@pytest.mark.parametrize("lanes", [0, 3, 512, -8])
def test_lanes_that_are_no_power_of_two_are_refused(lanes):
    with pytest.raises(ValueError, match=f"lanes must be a power of two in 1..256, not {lanes}"):
        ShiftExpVector(lanes=lanes)
