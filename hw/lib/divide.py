"""Unsigned division, a few bits of the quotient per cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

MULTIPLES: dict[int, Callable[[Value], Value]] = {
    1: lambda s: s,
    3: lambda s: (s << 1) + s,
    5: lambda s: (s << 2) + s,
    7: lambda s: (s << 3) - s,
}
"""Odd multiples by one addition each; the others are shifts of them."""


class SerialDivider(wiring.Component):
    """quotient = dividend // divisor, remainder = dividend % divisor, by restoring division.

    Every cycle compares the remainder so far, with the next bits of the dividend behind it, with all
    multiples of the divisor that a digit of the quotient can stand for. The largest that fits gives
    the digit. The multiples are made while the quotient before is still in work.

    Parameters
    ----------
    dividend_bits, divisor_bits : widths of the operands
    digit_bits : bits of the quotient per cycle, 1, 2 or 3 (radix 2, 4 or 8)

    Members
    -------
    start : In(1), takes the operands in this cycle
    dividend : In(dividend_bits), divisor : In(divisor_bits)
    done : Out(1), high for one cycle, the first in which the results are there
    quotient : Out(dividend_bits), remainder : Out(divisor_bits), registers; they stay until the
        next `done`

    Timing: `latency` cycles from `start` to `done`; a start every `interval` cycles or later.

    Range: every dividend, every divisor from 1.
    """

    def __init__(self, *, dividend_bits: int, divisor_bits: int, digit_bits: int = 3) -> None:
        for name, bits in (("dividend_bits", dividend_bits), ("divisor_bits", divisor_bits)):
            if bits < 1:
                raise ValueError(f"{name} must be at least 1, not {bits}")
        if digit_bits not in (1, 2, 3):
            raise ValueError(f"digit_bits must be 1, 2 or 3, not {digit_bits}")
        self.dividend_bits, self.divisor_bits, self.digit_bits = dividend_bits, divisor_bits, digit_bits
        super().__init__(
            {
                "start": In(1),
                "dividend": In(dividend_bits),
                "divisor": In(divisor_bits),
                "done": Out(1),
                "quotient": Out(dividend_bits),
                "remainder": Out(divisor_bits),
            }
        )

    @property
    def interval(self) -> int:
        """Cycles from one start to the next: one per digit."""
        return -(-self.dividend_bits // self.digit_bits)

    @property
    def latency(self) -> int:
        """Cycles from `start` to `done`: taking the operands, their multiples, the digits."""
        return self.interval + 2

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        digit_bits, radix = self.digit_bits, 1 << self.digit_bits
        next_dividend = Signal(self.dividend_bits)
        next_divisor = Signal(self.divisor_bits)
        prepare = Signal()
        m.d.sync += prepare.eq(self.start)
        with m.If(self.start):
            m.d.sync += [next_dividend.eq(self.dividend), next_divisor.eq(self.divisor)]

        busy = Signal()
        left = Signal(range(self.interval))
        # The dividend leaves at the top while the quotient enters at the bottom.
        digits = Signal(self.interval * digit_bits)
        rest = Signal(self.divisor_bits)
        largest = (1 << self.divisor_bits) - 1
        odd = {k: Signal(range(k * largest + 1), name=f"times_{k}") for k in range(1, radix, 2)}

        partial = Cat(digits[-digit_bits:], rest)
        fits: list[Value] = [Const(1)]
        candidates: list[Value] = [Cat(Const(0, digit_bits), partial[: self.divisor_bits])]
        for k in range(1, radix):
            power = (k & -k).bit_length() - 1
            difference = Signal(len(partial) + 1, name=f"minus_{k}")
            m.d.comb += difference.eq(partial - (odd[k >> power] << power))
            fits.append(~difference[-1])
            candidates.append(Cat(Const(k, digit_bits), difference[: self.divisor_bits]))
        for level in range(digit_bits):
            candidates = [
                Mux(fits[(k + 1) << level], candidates[k + 1], candidates[k])
                for k in range(0, len(candidates), 2)
            ]
        digit, left_over = candidates[0][:digit_bits], candidates[0][digit_bits:]
        quotient = Cat(digit, digits[:-digit_bits])

        last = busy & (left == 0)
        m.d.sync += self.done.eq(last)
        with m.If(last):
            m.d.sync += [self.quotient.eq(quotient), self.remainder.eq(left_over), busy.eq(0)]
        with m.If(prepare):
            m.d.sync += [busy.eq(1), left.eq(self.interval - 1), digits.eq(next_dividend), rest.eq(0)]
            for k, times in odd.items():
                m.d.sync += times.eq(MULTIPLES[k](next_divisor))
        with m.Elif(busy):
            m.d.sync += [left.eq(left - 1), digits.eq(quotient), rest.eq(left_over)]
        return m
