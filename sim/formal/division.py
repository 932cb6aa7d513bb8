"""Dividers and the square root, for all operands of few bits."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Assert, Assume, Cover, Module, Signal, Value

from intarsia.hw.lib.divide import SerialDivider
from intarsia.hw.lib.pipelined_divider import PipelinedDivider
from intarsia.hw.lib.root import SerialRoot
from intarsia.sim.formal.proof import Spec


def delayed(m: Module, value: Value, cycles: int, name: str) -> Value:
    """What the value was so many cycles ago."""
    for k in range(cycles):
        register = Signal.like(value, name=f"{name}_{k + 1}")
        m.d.sync += register.eq(value)
        value = register
    return value


def assume_interval(m: Module, start: Value, interval: int) -> None:
    """The solver starts no earlier than so many cycles behind the start before."""
    since = Signal(range(interval + 1), init=interval)
    with m.If(start):
        m.d.sync += since.eq(1)
    with m.Elif(since < interval):
        m.d.sync += since.eq(since + 1)
    m.d.comb += Assume(~start | (since >= interval))


class SerialQuotient(Spec):
    """dividend = quotient * divisor + remainder with remainder < divisor, from `SerialDivider`.

    `done` comes exactly `latency` cycles after every start and in no other cycle; the results stay until
    the next. Starts in any cycles, the interval or more apart; all dividends, all divisors from 1.
    Induction: from any state, a division that starts is right.
    """

    def __init__(
        self,
        *,
        dividend_bits: int,
        divisor_bits: int,
        digit_bits: int,
        make: type[SerialDivider] = SerialDivider,
    ) -> None:
        super().__init__()
        self.divider = divider = make(
            dividend_bits=dividend_bits, divisor_bits=divisor_bits, digit_bits=digit_bits
        )
        self.free += [divider.start, divider.dividend, divider.divisor]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.divider = divider = self.divider
        assume_interval(m, divider.start, divider.interval)
        m.d.comb += Assume(~divider.start | (divider.divisor != 0))
        started = delayed(m, divider.start, divider.latency, "started")
        dividend = delayed(m, divider.dividend, divider.latency, "dividend")
        divisor = delayed(m, divider.divisor, divider.latency, "divisor")
        m.d.comb += Assert(divider.done == started)
        with m.If(divider.done):
            m.d.comb += [
                Assert(divider.quotient * divisor + divider.remainder == dividend),
                Assert(divider.remainder < divisor),
                Cover((divider.quotient > 1) & (divider.remainder > 1)),
            ]
        quotient = delayed(m, divider.quotient, 1, "quotient")
        remainder = delayed(m, divider.remainder, 1, "remainder")
        with m.If(~divider.done):
            m.d.comb += [Assert(divider.quotient == quotient), Assert(divider.remainder == remainder)]
        return m


class PipelinedQuotient(Spec):
    """quotient * divisor <= dividend < (quotient + 1) * divisor, from `PipelinedDivider`.

    A division in every cycle, each quotient exactly `latency` cycles after its divisor. One constant
    dividend, all divisors from 1. Induction.
    """

    def __init__(self, *, dividend: int, divisor_bits: int, digit_bits: int) -> None:
        super().__init__()
        self.divider = PipelinedDivider(dividend=dividend, divisor_bits=divisor_bits, digit_bits=digit_bits)
        self.free.append(self.divider.divisor)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.divider = divider = self.divider
        m.d.comb += Assume(divider.divisor != 0)
        divisor = delayed(m, divider.divisor, divider.latency, "divisor")
        product = divider.quotient * divisor
        with m.If(divisor != 0):  # else it is from before a reset
            m.d.comb += [
                Assert(product <= divider.dividend),
                Assert(product + divisor > divider.dividend),
                Cover(divider.quotient == 3),
            ]
        return m


class SerialSquareRoot(Spec):
    """root^2 <= v < (root + 1)^2, from `SerialRoot`.

    `done` comes exactly `latency` cycles after every start and in no other cycle. Starts in any cycles,
    the interval or more apart; every v. Induction: from any state, a root that starts is right.
    """

    def __init__(self, *, bits: int) -> None:
        super().__init__()
        self.unit = SerialRoot(bits=bits)
        self.free += [self.unit.start, self.unit.v]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        assume_interval(m, unit.start, unit.interval)
        v = delayed(m, unit.v, unit.latency, "v")
        m.d.comb += Assert(unit.done == delayed(m, unit.start, unit.latency, "started"))
        with m.If(unit.done):
            m.d.comb += [
                Assert(unit.root * unit.root <= v),
                Assert((unit.root + 1) * (unit.root + 1) > v),
                Cover(unit.root == 5),
            ]
        return m
