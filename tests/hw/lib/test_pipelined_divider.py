# amaranth: UnusedElaboratable=no

from __future__ import annotations

import re

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.arch.duration import DIVIDE
from intarsia.hw.lib.pipelined_divider import PipelinedDivider

I31 = 2**31 - 1


def quotients(unit, divisors):
    """Quotients of divisors that come one per cycle, each read in its cycle."""
    results = []

    async def bench(ctx):
        for cycle in range(len(divisors) + unit.latency):
            ctx.set(unit.divisor, divisors[cycle] if cycle < len(divisors) else 0)
            if cycle >= unit.latency:
                results.append(ctx.get(unit.quotient))
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("digit_bits", [1, 2, 3])
@pytest.mark.parametrize(
    ("dividend", "divisor_bits"), [(1, 1), (1, 4), (2, 2), (127, 7), (100, 7), (129, 3), (1000, 4), (5, 6)]
)
def test_every_divisor_of_few_bits(dividend, divisor_bits, digit_bits):
    divider = PipelinedDivider(dividend=dividend, divisor_bits=divisor_bits, digit_bits=digit_bits)
    divisors = range(1, 1 << divisor_bits)
    assert quotients(divider, divisors) == [dividend // s for s in divisors]


def test_one_quotient_of_gelu_per_cycle():
    divider = PipelinedDivider(dividend=I31, divisor_bits=31)
    assert divider.latency == DIVIDE
    powers = [1 << k for k in range(31)]
    divisors = [s + d for s in powers for d in (-1, 0, 1) if 1 <= s + d <= I31]
    divisors += [I31 // k + d for k in (1, 2, 3, 5, 1000, 2**15 + 1) for d in (0, 1) if I31 // k + d <= I31]
    assert quotients(divider, divisors) == [I31 // s for s in divisors]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 31).flatmap(lambda bits: st.integers(1, 2**bits - 1)), max_size=20))
def test_any_divisor(divisors):
    divider = PipelinedDivider(dividend=I31, divisor_bits=31)
    assert quotients(divider, divisors) == [I31 // s for s in divisors]


def test_divisor_0_gives_all_ones():
    assert quotients(PipelinedDivider(dividend=I31, divisor_bits=31), [0]) == [I31]
    assert quotients(PipelinedDivider(dividend=100, divisor_bits=5), [0]) == [127]


@pytest.mark.parametrize("name", ["dividend", "divisor_bits", "digit_bits"])
def test_refuses(name):
    arguments = {"dividend": 5, "divisor_bits": 3, "digit_bits": 2, name: 0}
    with pytest.raises(ValueError, match=f"^{re.escape(f'{name} must be at least 1, not 0')}$"):
        PipelinedDivider(**arguments)
