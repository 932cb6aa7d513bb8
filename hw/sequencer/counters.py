"""How long a program ran and what its units did meanwhile."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.sequencer.queue import UNITS

CYCLE_BITS = 64
COUNTER_BITS = 48


class Counters(wiring.Component):
    """Cycles.

    Parameters
    ----------
    cycle_bits : of the program's cycles;  counter_bits : of all else

    Members
    -------
    clear : In(1), all are 0 from the next cycle on
    running : In(1);  busy, waiting : In(1) per unit;  moved : In(1), each only while running
    cycles : Out(64), in which the machine ran
    unit_busy, unit_waiting : Out(48) per unit;  transfers : Out(48), in which bytes crossed the memory port
    """

    def __init__(self, *, cycle_bits: int = CYCLE_BITS, counter_bits: int = COUNTER_BITS) -> None:
        self.cycle_bits, self.counter_bits = cycle_bits, counter_bits
        super().__init__(
            {
                "clear": In(1),
                "running": In(1),
                "busy": In(UNITS),
                "waiting": In(UNITS),
                "moved": In(1),
                "cycles": Out(cycle_bits),
                "unit_busy": Out(counter_bits).array(UNITS),
                "unit_waiting": Out(counter_bits).array(UNITS),
                "transfers": Out(counter_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        events = [(self.cycles, self.running), (self.transfers, self.running & self.moved)]
        events += zip(self.unit_busy, self.busy, strict=True)
        events += zip(self.unit_waiting, self.waiting, strict=True)
        for counter, event in events:
            with m.If(self.clear):
                m.d.sync += counter.eq(0)
            with m.Else():
                m.d.sync += counter.eq(counter + event)
        return m
