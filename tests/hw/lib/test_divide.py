# amaranth: UnusedElaboratable=no

from __future__ import annotations

import itertools
import re

import pytest
from amaranth.back import verilog
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.arch.duration import DIVIDE
from intarsia.hw.lib.divide import SerialDivider


def divide(divider, operands, gap=None):
    """Results of divisions started `gap` cycles apart (the interval when None), each at its cycle."""
    gap = divider.interval if gap is None else gap
    operands = list(operands)
    results = []

    async def bench(ctx):
        for cycle in range((len(operands) - 1) * gap + divider.latency + 1):
            started, phase = divmod(cycle, gap)
            fresh = phase == 0 and started < len(operands)
            ctx.set(divider.start, fresh)
            # Operands are there in the cycle of `start` only.
            dividend, divisor = operands[started] if fresh else (0, (1 << divider.divisor_bits) - 1)
            ctx.set(divider.dividend, dividend)
            ctx.set(divider.divisor, divisor)
            finished, phase = divmod(cycle - divider.latency, gap)
            assert ctx.get(divider.done) == (finished >= 0 and phase == 0), cycle
            if finished >= 0:  # whenever it is looked at, the last result is there
                results[finished:] = [(ctx.get(divider.quotient), ctx.get(divider.remainder))]
            await ctx.tick()

    simulator = Simulator(divider)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("digit_bits", [1, 2, 3])
@pytest.mark.parametrize(("dividend_bits", "divisor_bits"), [(1, 1), (5, 3), (4, 6), (6, 4)])
def test_every_operand_of_few_bits(dividend_bits, divisor_bits, digit_bits):
    divider = SerialDivider(dividend_bits=dividend_bits, divisor_bits=divisor_bits, digit_bits=digit_bits)
    operands = list(itertools.product(range(1 << dividend_bits), range(1, 1 << divisor_bits)))
    assert divide(divider, operands) == [divmod(a, b) for a, b in operands]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**46 - 1) | st.sampled_from([0, 2**46 - 1, 2**45, 2**31 - 1]),
            st.integers(1, 2**31 - 1) | st.sampled_from([1, 2, 7, 2**31 - 1, 2**30]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 5),
)
def test_reciprocals_of_shiftmax(operands, pause):
    divider = SerialDivider(dividend_bits=46, divisor_bits=31)
    results = divide(divider, operands, divider.interval + pause)
    assert results == [divmod(a, b) for a, b in operands]


@pytest.mark.parametrize("bits", [46, 47, 48])
def test_one_quotient_per_division_interval(bits):
    divider = SerialDivider(dividend_bits=bits, divisor_bits=31)
    assert (divider.interval, divider.latency) == (DIVIDE, DIVIDE + 2)
    assert divide(divider, [(2**bits - 1, 3)]) == [divmod(2**bits - 1, 3)]


def test_digits_that_do_not_fill_the_dividend():
    divider = SerialDivider(dividend_bits=31, divisor_bits=21, digit_bits=2)
    operands = [(2**31 - 1, s) for s in (1, 2, 3, 2**21 - 1, 46340, 46341)]
    assert (divider.interval, divider.latency) == (16, 18)
    assert divide(divider, operands) == [divmod(a, b) for a, b in operands]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dividend_bits": 0, "divisor_bits": 4}, "dividend_bits must be at least 1, not 0"),
        ({"dividend_bits": 4, "divisor_bits": -1}, "divisor_bits must be at least 1, not -1"),
        (
            {"dividend_bits": 4, "divisor_bits": 4, "digit_bits": 4},
            "digit_bits must be 1, 2 or 3, not 4",
        ),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SerialDivider(**arguments)


def test_verilog_is_the_same_every_time():
    texts = {
        verilog.convert(SerialDivider(dividend_bits=46, divisor_bits=31), strip_internal_attrs=True)
        for _ in range(2)
    }
    assert len(texts) == 1
