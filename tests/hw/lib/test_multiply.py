# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape, signed, unsigned
from amaranth.sim import Simulator

from intarsia.hw.lib.multiply import Multiplier

SHAPES = [
    (signed(1), unsigned(1)),
    (signed(16), signed(16)),
    (signed(17), signed(18)),
    (unsigned(17), unsigned(18)),
    (signed(19), unsigned(17)),
    (signed(32), signed(16)),
    (signed(32), signed(32)),
    (unsigned(31), signed(35)),
    (signed(17), unsigned(31)),
    (unsigned(46), unsigned(31)),
    (unsigned(35), unsigned(1)),
    (signed(36), signed(36)),
    (unsigned(36), signed(53)),
    (signed(52), unsigned(52)),
    (signed(64), signed(64)),
    (unsigned(64), unsigned(64)),
]


def extremes(shape: Shape) -> list[int]:
    values = range(-1 << shape.width - 1, 1 << shape.width - 1) if shape.signed else range(1 << shape.width)
    low, high = values[0], values[-1]
    edges = [low, low + 1, -1, 0, 1, (1 << 17) - 1, 1 << 17, (1 << 34) - 1, high - 1, high]
    return sorted({edge for edge in edges if edge in values})


def numbers(shape: Shape, count: int, rng: np.random.Generator) -> list[int]:
    """Of every magnitude, small ones as often as large."""
    widths = rng.integers(0, shape.width + 1, count).tolist()
    drawn = [int.from_bytes(rng.bytes(17), "little") % 2**width for width in widths]
    return [wrapped(value if rng.random() < 0.5 else -value, shape) for value in drawn]


def wrapped(value: int, shape: Shape) -> int:
    value &= (1 << shape.width) - 1
    return value - (1 << shape.width) if shape.signed and value >> shape.width - 1 else value


def check(multiplier: Multiplier, operands: list[tuple[int, ...]]) -> None:
    """One set of operands per cycle; every result after LATENCY cycles."""

    async def bench(ctx):
        for cycle in range(len(operands) + Multiplier.LATENCY):
            if cycle < len(operands):
                ctx.set(multiplier.a, operands[cycle][0])
                ctx.set(multiplier.b, operands[cycle][1])
                if multiplier.has_addend:
                    ctx.set(multiplier.addend, operands[cycle][2])
            if cycle >= Multiplier.LATENCY:
                a, b, *addend = operands[cycle - Multiplier.LATENCY]
                assert ctx.get(multiplier.p) == a * b + sum(addend), (a, b, addend)
            await ctx.tick()

    simulator = Simulator(multiplier)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("a, b", SHAPES, ids=str)
def test_products_are_exact(a, b):
    rng = np.random.default_rng(a.width * 64 + b.width)
    operands = [(x, y) for x in extremes(a) for y in extremes(b)]
    operands += zip(numbers(a, 200, rng), numbers(b, 200, rng), strict=True)
    check(Multiplier(a, b), operands)


@pytest.mark.parametrize("shape", [signed(17), signed(40), signed(64), unsigned(12), signed(90)], ids=str)
@pytest.mark.parametrize("a, b", [SHAPES[1], SHAPES[6], SHAPES[9], SHAPES[11], SHAPES[12]], ids=str)
def test_sums_with_an_addend_are_exact_where_p_can_hold_them(a, b, shape):
    rng = np.random.default_rng(shape.width)
    multiplier = Multiplier(a, b, shape)
    operands = [(x, y, z) for x in extremes(a) for y in extremes(b) for z in extremes(shape)]
    drawn = zip(numbers(a, 200, rng), numbers(b, 200, rng), numbers(shape, 200, rng), strict=True)
    operands = rng.permutation(np.array(operands, dtype=object))[:200].tolist() + list(drawn)
    p = multiplier.p.shape()
    held = [o for o in operands if o[0] * o[1] + o[2] == wrapped(o[0] * o[1] + o[2], p)]
    assert len(held) > 50
    check(multiplier, held)


def test_p_has_the_bits_of_the_exact_product_or_of_the_addend():
    widths = [
        Multiplier(signed(16), signed(32)).p.shape(),
        Multiplier(unsigned(16), unsigned(17)).p.shape(),
        Multiplier(unsigned(16), unsigned(17), signed(50)).p.shape(),
    ]
    assert widths == [signed(48), unsigned(33), signed(50)]


@pytest.mark.parametrize(
    "shapes, message",
    [
        ((unsigned(65), unsigned(3)), "a must have 1..64 bits, not 65"),
        ((unsigned(3), unsigned(0)), "b must have 1..64 bits, not 0"),
        ((unsigned(3), unsigned(3), signed(129)), "addend must have 1..128 bits, not 129"),
    ],
)
def test_other_widths_are_refused(shapes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Multiplier(*shapes)
