"""Clocks that stop while nobody needs them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LINGER = 16
"""Cycles that a clock goes on for, so that whatever it drives comes to rest."""


class ClockGate(wiring.Component):
    """The clock, in cycles at whose end something may change.

    Members
    -------
    busy : In(1), the clock is needed at the end of this cycle; reset counts as that
    clock : Out(1)

    Timing: `busy` is taken at the falling edge, so `clock` has whole cycles only. It goes on for LINGER
    cycles after the last one that was busy.
    """

    def __init__(self) -> None:
        super().__init__({"busy": In(1), "clock": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.falling = ClockDomain(clk_edge="neg", reset_less=True, local=True)
        m.d.comb += ClockSignal("falling").eq(ClockSignal())
        needed, enable = Signal(), Signal()
        left = Signal(range(LINGER + 1), init=LINGER)
        with m.If(self.busy):
            m.d.sync += left.eq(LINGER)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += [
            needed.eq(self.busy | (left != 0) | ResetSignal()),
            self.clock.eq(ClockSignal() & enable),
        ]
        m.d.falling += enable.eq(needed)
        return m
