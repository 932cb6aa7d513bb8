"""Mean and deviation of rows, from their sums, by serial division and root."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.lib.divide import SerialDivider
from intarsia.hw.lib.multiply import Multiplier
from intarsia.hw.lib.root import SerialRoot

MAX_LENGTH = 4096
LENGTH_BITS = MAX_LENGTH.bit_length()
MAGNITUDE_BITS = (MAX_LENGTH << 15).bit_length()
"""Of |sum x|, at most 2^27."""
SQUARES_BITS = (MAX_LENGTH << 30).bit_length()
"""Of sum x^2, at most 2^42."""
VARIANCE_BITS = 42
"""Of v, less than 2^42: half the range of x above and half below the mean are the worst."""
RECIPROCAL_BITS = 31
I31 = 2**RECIPROCAL_BITS - 1
SERIAL_DIGIT = 2
"""Bits per cycle of both divisions; neither may take longer than a root."""


class RowStatistics(wiring.Component):
    """mu = RHE(sum x / D) and f = I31 // max(isqrt(v), 1) of rows, from their sums.

    With r = sum x - D * mu, the remainder of the rounded division,
    v = sum (x - mu)^2 = sum x^2 - mu * (sum x + r). Signs of mu and sum x + r are the same, or one of
    the two is 0, so their product is that of the magnitudes.

    Members
    -------
    start : In(1), total : In(signed(28)), sum x, in one cycle
    squares : In(43), sum x^2, in the next cycle
    length : In(13), D; it must not change while a row is in work
    soon : Out(1), high for one cycle, `READ_AHEAD` cycles before the reciprocal is there
    mean : Out(signed(16)), from one cycle before the reciprocal on, until it is there for the next row
    reciprocal : Out(31), until the next row's

    Timing: `latency` cycles from `start` to the reciprocal; a row every ROOT = 22 cycles or later.

    Range: D in 1..4096, sums of D values of int16.
    """

    READ_AHEAD = 4
    """For counting, the read port, a register behind it, and the difference from the mean."""

    def __init__(self) -> None:
        self.mean_divider = SerialDivider(
            dividend_bits=MAGNITUDE_BITS, divisor_bits=LENGTH_BITS, digit_bits=SERIAL_DIGIT
        )
        self.root = SerialRoot(bits=VARIANCE_BITS)
        self.reciprocal_divider = SerialDivider(
            dividend_bits=RECIPROCAL_BITS, divisor_bits=VARIANCE_BITS // 2, digit_bits=SERIAL_DIGIT
        )
        super().__init__(
            {
                "start": In(1),
                "total": In(signed(MAGNITUDE_BITS)),
                "squares": In(SQUARES_BITS),
                "length": In(LENGTH_BITS),
                "soon": Out(1),
                "mean": Out(signed(16)),
                "reciprocal": Out(RECIPROCAL_BITS),
            }
        )

    @property
    def latency(self) -> int:
        """The mean, its rounding in two cycles, a product, the root, the reciprocal."""
        mean = self.mean_divider.latency + 2
        return mean + Multiplier.LATENCY + self.root.latency + self.reciprocal_divider.latency

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.mean_divider = divider = self.mean_divider
        m.submodules.deviation = root = self.root
        m.submodules.reciprocal_divider = reciprocal = self.reciprocal_divider
        m.submodules.product = product = Multiplier(unsigned(16), unsigned(MAGNITUDE_BITS))

        # What a stage needs of a row stays until the row behind it comes, ROOT cycles later or more.
        negative = Signal(reset_less=True)
        magnitude = Signal(MAGNITUDE_BITS, reset_less=True)
        squares = Signal(SQUARES_BITS, reset_less=True)
        started = Signal()
        m.d.sync += started.eq(self.start)
        absolute = Mux(self.total < 0, -self.total, self.total)[:MAGNITUDE_BITS]
        m.d.comb += [
            divider.start.eq(self.start),
            divider.dividend.eq(absolute),
            divider.divisor.eq(self.length),
        ]
        with m.If(self.start):
            m.d.sync += [negative.eq(self.total < 0), magnitude.eq(absolute)]
        with m.If(started):
            m.d.sync += squares.eq(self.squares)

        twice = divider.remainder << 1
        up = (twice > self.length) | ((twice == self.length) & divider.quotient[0])
        rounded = Signal(16, reset_less=True)
        remainder = Signal(signed(LENGTH_BITS + 1), reset_less=True)
        both = Signal(MAGNITUDE_BITS, reset_less=True)
        mean = Signal(signed(16), reset_less=True)
        steps = Signal(2 + Multiplier.LATENCY)
        m.d.sync += steps.eq(Cat(divider.done, steps))
        with m.If(divider.done):
            m.d.sync += rounded.eq(divider.quotient[:16] + up)
            m.d.sync += remainder.eq(divider.remainder - Mux(up, self.length, 0))
        with m.If(steps[0]):
            m.d.sync += both.eq(magnitude + remainder)
            m.d.sync += mean.eq(Mux(negative, -rounded, rounded))
        m.d.comb += [product.a.eq(rounded), product.b.eq(both)]

        mean_of_root = Signal.like(mean, reset_less=True)
        mean_of_reciprocal = Signal.like(mean, reset_less=True)
        m.d.comb += [root.start.eq(steps[-1]), root.v.eq(squares - product.p)]
        with m.If(root.start):
            m.d.sync += mean_of_root.eq(mean)
        m.d.comb += [
            reciprocal.start.eq(root.done),
            reciprocal.dividend.eq(I31),
            reciprocal.divisor.eq(Cat(root.root[0] | ~root.root.any(), root.root[1:])),
            self.reciprocal.eq(reciprocal.quotient),
        ]
        with m.If(root.done):
            m.d.sync += mean_of_reciprocal.eq(mean_of_root)
        ahead = Signal(reciprocal.latency - 2)  # the mean must be there a cycle before the reciprocal
        m.d.sync += ahead.eq(Cat(root.done, ahead))
        m.d.comb += self.soon.eq(ahead[reciprocal.latency - self.READ_AHEAD - 1])
        with m.If(ahead[-1]):
            m.d.sync += self.mean.eq(mean_of_reciprocal)
        return m
