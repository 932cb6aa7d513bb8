"""Dividers and the square root at the widths that units have, one digit at a time.

A quotient or a root of many bits is out of a solver's reach as a whole, but a digit of it is not: it is
a small multiple. Each property here says that every step keeps an equation; what that makes of all steps
together is a line of algebra, given in its docstring, and `SerialTiming` counts the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value

from intarsia.hw.lib.divide import MULTIPLES, SerialDivider
from intarsia.hw.lib.pipelined_divider import PipelinedDivider
from intarsia.hw.lib.root import SerialRoot
from intarsia.sim.formal.division import assume_interval, delayed
from intarsia.sim.formal.inside import opened
from intarsia.sim.formal.proof import Spec


class SerialTiming(Spec):
    """`done` comes exactly `latency` cycles after every `start` and in no other cycle.

    Starts in any cycles, `interval` or more apart. Induction, over more cycles than any work takes.
    """

    def __init__(self, make: Callable[[], SerialDivider | SerialRoot]) -> None:
        super().__init__()
        self.unit = make()
        self.free.append(self.unit.start)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        assume_interval(m, unit.start, unit.interval)
        started = delayed(m, unit.start, unit.latency, "started")
        m.d.comb += [Assert(unit.done == started), Cover(unit.done)]
        return m


class QuotientStep(Spec):
    """Every step of `SerialDivider` finds the digit that restoring division has there.

    Before a step the remainder r is less than the divisor. The step takes the dividend's next g bits x
    and leaves a digit q and r' with q * divisor + r' = r * 2^g + x and r' < divisor. A division begins
    with r = 0 and ends with the step that `done` follows. So quotient * divisor + r equals the bits of
    the dividend that were taken, in the end all. Every dividend, every divisor from 1. Induction.
    """

    def __init__(self, *, dividend_bits: int, divisor_bits: int, digit_bits: int) -> None:
        super().__init__()
        self.divider = divider = SerialDivider(
            dividend_bits=dividend_bits, divisor_bits=divisor_bits, digit_bits=digit_bits
        )
        self.free += [divider.start, divider.dividend, divider.divisor]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        divider, g = self.divider, self.divider.digit_bits
        m.submodules.divider, signals = opened(divider)
        m.d.comb += Assume(~divider.start | (divider.divisor != 0))
        before = {
            name: delayed(m, value, 1, f"before_{name}")
            for name, value in {**signals, "dividend": divider.dividend, "divisor": divider.divisor}.items()
        }
        busy, digits, rest, divisor = (signals[name] for name in ("busy", "digits", "rest", "times_1"))

        m.d.comb += Assert(~busy | (rest < divisor))
        multiples: list[Value] = [Const(0)]
        for k in range(1, 1 << g):
            power = (k & -k).bit_length() - 1
            multiples.append(before[f"times_{k >> power}"] << power)
            odd = signals[f"times_{k >> power}"]
            m.d.comb += Assert(~busy | (odd == MULTIPLES[k >> power](divisor)))
        multiple = Array(multiples)
        with m.If(signals["prepare"]):
            m.d.comb += [
                Assert(signals["next_dividend"] == before["dividend"]),
                Assert(signals["next_divisor"] == before["divisor"]),
                Assert(before["divisor"] != 0),
            ]
        with m.If(before["prepare"]):
            m.d.comb += [
                Assert(busy & (signals["left"] == divider.interval - 1) & (rest == 0)),
                Assert((digits == before["next_dividend"]) & (divisor == before["next_divisor"])),
            ]

        more = Cat(before["digits"][-g:], before["rest"])
        with m.If(divider.done):
            digit = divider.quotient[:g]
            m.d.comb += [
                Assert(divider.quotient == Cat(digit, before["digits"][:-g])[: len(divider.quotient)]),
                Assert(divider.remainder + multiple[digit] == more),
                Assert(divider.remainder < before["times_1"]),
                Cover(digit.all() & before["prepare"]),
            ]
        with m.If(before["busy"] & ~before["prepare"]):
            digit = digits[:g]
            m.d.comb += [
                Assert(digits == Cat(digit, before["digits"][:-g])),
                Assert(rest + multiple[digit] == more),
                Assert(divisor == before["times_1"]),
                Assert(~busy | (signals["left"] == before["left"] - 1)),
            ]
        return m


class RootStep(Spec):
    """Every step of `SerialRoot` finds the bit that the root has there.

    Before a step the remainder r is at most 2 * root. The step takes the next two bits x of v and leaves
    root' = 2 * root + b and r' = 4 * r + x - b * (4 * root + 1), with r' at least 0 and at most 2 * root'.
    Both begin with 0. So r is what v's bits so far exceed root^2 by, and r <= 2 * root says that
    (root + 1)^2 exceeds them. Every v. Induction.
    """

    def __init__(self, *, bits: int) -> None:
        super().__init__()
        self.unit = SerialRoot(bits=bits)
        self.free += [self.unit.start, self.unit.v]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        unit = self.unit
        m.submodules.unit, signals = opened(unit)
        v, rest, busy, left = (signals[name] for name in ("v", "rest", "busy", "left"))
        names = {
            "v": v,
            "rest": rest,
            "root": unit.root,
            "busy": busy,
            "start": unit.start,
            "given": unit.v,
        }
        before = {name: delayed(m, value, 1, f"before_{name}") for name, value in names.items()}
        bit = unit.root[0]
        with m.If(before["start"]):
            m.d.comb += [Assert(v == before["given"]), Assert(rest == 0), Assert(unit.root == 0)]
            m.d.comb += Assert(busy & (left == unit.latency - 2))
        with m.Elif(before["busy"]):
            more = Cat(before["v"][-2:], before["rest"])
            m.d.comb += [
                Assert(unit.root == Cat(bit, before["root"])[: len(unit.root)]),
                Assert(rest + Mux(bit, Cat(Const(1, 2), before["root"]), 0) == more),
                Assert(v == (before["v"] << 2)[: len(v)]),
                Cover(~busy & bit & (rest == 2 * unit.root)),
            ]
        taken = (unit.latency - 2 - left)[: len(left)]  # bits of the root so far
        m.d.comb += [
            Assert(~(busy | unit.done) | (rest <= 2 * unit.root)),
            Assert(~busy | ((left <= unit.latency - 2) & ((unit.root >> taken) == 0))),
        ]
        return m


class PipelinedStep(Spec):
    """Every stage of `PipelinedDivider` finds the digit that restoring division has there.

    A stage gets a divisor and a remainder r less than it. It brings down the dividend's next g bits x and
    leaves a digit q behind those before, and r' with q * divisor + r' = r * 2^g + x and r' < divisor. The
    first one's r is 0. So quotient * divisor + r equals the bits so far, in the end the dividend. Every
    divisor from 1. Induction.
    """

    def __init__(self, *, dividend: int, divisor_bits: int) -> None:
        super().__init__()
        self.divider = PipelinedDivider(dividend=dividend, divisor_bits=divisor_bits)
        self.free.append(self.divider.divisor)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        divider = self.divider
        m.submodules.divider, signals = opened(divider)
        known = delayed(m, Value.cast(1), 1, "known")  # the cycle before is not that of a reset
        previous: tuple[Value, Value, Value] = divider.divisor, Const(0, 0), Const(0, 0)
        for stage in range(divider.latency):
            taken = stage * divider.digit_bits
            g = min(divider.digit_bits, divider.bits - taken)
            x = divider.dividend >> (divider.bits - taken - g) & ((1 << g) - 1)
            divisor, remainder, quotient = (
                Signal.like(value, name=f"{name}_into_{stage}", reset_less=True)
                for name, value in zip(("divisor", "remainder", "quotient"), previous, strict=True)
            )
            m.d.sync += Cat(divisor, remainder, quotient).eq(Cat(*previous))
            last = stage == divider.latency - 1
            after = divider.quotient if last else signals[f"quotient{stage}"]
            left_over = Cat(Const(x, g), remainder) - after[:g] * divisor
            with m.If(known & (divisor != 0)):
                m.d.comb += [
                    Assert((left_over >= 0) & (left_over < divisor)),
                    Assert(after[g:] == quotient),
                    Cover(after[:g].all()),
                ]
                if not last:
                    m.d.comb += Assert(signals[f"divisor{stage}"] == divisor)
                    m.d.comb += Assert(signals[f"remainder{stage}"] == left_over)
            if not last:
                previous = signals[f"divisor{stage}"], signals[f"remainder{stage}"], after
                m.d.comb += Assert((previous[0] == 0) | (previous[1] < previous[0]))
        return m
