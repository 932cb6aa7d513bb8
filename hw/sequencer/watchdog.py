"""Ends programs that cannot go on (docs/machine.md, section 8, code 6)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import Unit
from intarsia.hw.sequencer.queue import UNITS

PATIENCE = 1 << 24
TRANSFERS = 1 << Unit.LOAD | 1 << Unit.STORE


class Watchdog(wiring.Component):
    """Counts cycles in which nothing happens.

    Parameters
    ----------
    patience : so many of them in a row

    Members
    -------
    running : In(1);  busy : In(UNITS), units that hold an instruction that is no WAIT
    moved : In(1), a byte crosses the memory port
    expired : Out(1), in the last `patience` cycles the machine ran, no byte crossed the memory port, and
        every unit was idle, waiting, or at a LOAD or STORE; a register
    """

    def __init__(self, *, patience: int = PATIENCE) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1, not {patience}")
        self.patience = patience
        super().__init__({"running": In(1), "busy": In(UNITS), "moved": In(1), "expired": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        still = Signal()
        past = Signal(range(self.patience))
        m.d.comb += still.eq(self.running & ~self.moved & ((self.busy & ~TRANSFERS) == 0))
        last = past == self.patience - 1
        m.d.sync += [self.expired.eq(still & last), past.eq(Mux(still & ~last, past + 1, 0))]
        return m
