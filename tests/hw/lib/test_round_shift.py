# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from intarsia.hw.lib.round_shift import RoundShift, saturated
from intarsia.model.integer.arithmetic import rshift_rhe, saturate


def quotients(shift: RoundShift, p: np.ndarray, c: np.ndarray) -> np.ndarray:
    """q of every p and c, offered one per cycle."""
    got = []

    async def bench(ctx):
        for cycle in range(p.size + RoundShift.LATENCY):
            if cycle < p.size:
                ctx.set(shift.p, int(p[cycle]))
                ctx.set(shift.c, int(c[cycle]))
            if cycle >= RoundShift.LATENCY:
                got.append(ctx.get(shift.q))
            await ctx.tick()

    simulator = Simulator(shift)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(got)


def near_ties(width: int, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Dividends of every magnitude, many of them exact halves or one beside, and both extremes."""
    c = rng.integers(0, 64, count)
    odd = 2 * rng.integers(-(2**17), 2**17, count) + 1
    halves = [k << max(n - 1, 0) for k, n in zip(odd.tolist(), c.tolist(), strict=True)]
    sizes = rng.integers(0, width, count).tolist()
    plain = [int(rng.integers(-(2**63), 2**63 - 1)) >> 63 - size for size in sizes]
    beside = rng.integers(-1, 2, count).tolist()
    drawn = [
        half + one if rng.random() < 0.6 else p for half, one, p in zip(halves, beside, plain, strict=True)
    ]
    low, high = -(2 ** (width - 1)), 2 ** (width - 1) - 1
    p = [value if low <= value <= high else other for value, other in zip(drawn, plain, strict=True)]
    ends = [(value, shift) for value in (low, low + 1, -1, 0, 1, high - 1, high) for shift in range(64)]
    return np.array(p + [value for value, _ in ends]), np.concatenate([c, [shift for _, shift in ends]])


@pytest.mark.parametrize("width", [1, 2, 9])
def test_every_dividend_at_every_shift(width):
    p, c = np.meshgrid(np.arange(-(2 ** (width - 1)), 2 ** (width - 1)), np.arange(20))
    far = np.arange(20, 64)
    p = np.concatenate([p.ravel(), np.full(far.size, -(2 ** (width - 1)))])
    c = np.concatenate([c.ravel(), far])
    assert np.array_equal(quotients(RoundShift(width), p, c), rshift_rhe(p, c))


@pytest.mark.parametrize("width", [31, 47, 48, 50, 64])
def test_quotients_are_exact(width):
    p, c = near_ties(width, 1200, np.random.default_rng(width))
    assert np.array_equal(quotients(RoundShift(width), p, c), rshift_rhe(p, c))


@pytest.mark.parametrize("width, bits", [(31, 16), (32, 16), (48, 16), (64, 16), (40, 8), (64, 1)])
def test_with_bits_the_saturated_quotient_is_exact(width, bits):
    p, c = near_ties(width, 1200, np.random.default_rng(width))
    q = quotients(RoundShift(width, bits), p, c)
    assert np.array_equal(saturate(q, bits), saturate(rshift_rhe(p, c), bits))


@pytest.mark.parametrize("width, bits", [(48, None), (64, 16)])
def test_every_bit_below_the_half_counts(width, bits):
    places = [
        (shift, bit, sign) for shift in range(2, width) for bit in range(shift - 1) for sign in (1, -1)
    ]
    p = np.array([sign * ((1 << shift - 1) + (1 << bit)) for shift, bit, sign in places])
    sign = np.array([sign for _, _, sign in places])
    assert np.array_equal(quotients(RoundShift(width, bits), p, np.array(places)[:, 0]), sign)


def test_values_saturate_at_both_ends():
    m = Module()
    given, at8, at16 = Signal(signed(20)), Signal(signed(8)), Signal(signed(16))
    m.d.comb += [at8.eq(saturated(given, 8)), at16.eq(saturated(given, 16))]
    values = [
        -(2**19),
        -32769,
        -32768,
        -32767,
        -129,
        -128,
        -127,
        -1,
        0,
        1,
        126,
        127,
        128,
        32766,
        32767,
        32768,
    ]

    async def bench(ctx):
        for value in [*values, 2**19 - 1]:
            ctx.set(given, value)
            assert (ctx.get(at8), ctx.get(at16)) == (saturate(value, 8), saturate(value, 16)), value

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    "arguments, message",
    [((0,), "width must be at least 1, not 0"), ((8, 0), "bits must be at least 1, not 0")],
)
def test_other_widths_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        RoundShift(*arguments)
