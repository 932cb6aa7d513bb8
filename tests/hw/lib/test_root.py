# amaranth: UnusedElaboratable=no

from __future__ import annotations

import math
import re

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.arch.duration import ROOT
from intarsia.hw.lib.root import SerialRoot
from intarsia.model.integer.arithmetic import isqrt


def roots(unit, values, gap=None):
    """Roots of values that start `gap` cycles apart (the interval when None), each at its cycle."""
    gap = unit.interval if gap is None else gap
    results = []

    async def bench(ctx):
        for cycle in range((len(values) - 1) * gap + unit.latency + 1):
            started, phase = divmod(cycle, gap)
            fresh = phase == 0 and started < len(values)
            ctx.set(unit.start, fresh)
            ctx.set(unit.v, values[started] if fresh else (1 << unit.bits) - 1)
            finished, phase = divmod(cycle - unit.latency, gap)
            assert ctx.get(unit.done) == (finished >= 0 and phase == 0), cycle
            if ctx.get(unit.done):
                results.append(ctx.get(unit.root))
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("bits", [1, 2, 3, 9, 10])
def test_every_value_of_few_bits(bits):
    values = list(range(1 << bits))
    assert roots(SerialRoot(bits=bits), values) == [math.isqrt(v) for v in values]


def test_around_squares():
    near = [t * t + d for t in (1, 2, 3, 46340, 65536, 2**20, 2**21 - 1) for d in (-1, 0, 1)]
    values = [0, *near, 2**42 - 1]
    assert roots(SerialRoot(bits=42), values) == isqrt(values).tolist()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 2**42 - 1), min_size=1, max_size=10), st.integers(0, 4))
def test_sums_of_squares(values, pause):
    root = SerialRoot(bits=42)
    assert roots(root, values, root.interval + pause) == isqrt(values).tolist()


def test_one_root_per_interval_of_the_machine():
    root = SerialRoot(bits=42)
    assert (root.interval, root.latency) == (ROOT, ROOT)
    assert roots(root, [2**42 - 1] * 3) == [2**21 - 1] * 3


@pytest.mark.parametrize("bits", [0, -3])
def test_refuses(bits):
    with pytest.raises(ValueError, match=f"^{re.escape(f'bits must be at least 1, not {bits}')}$"):
        SerialRoot(bits=bits)
