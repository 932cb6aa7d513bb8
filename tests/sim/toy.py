"""A unit that doubles numbers, with faults that an input switches on, and its bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data

from intarsia.hw.interfaces.stream import Core, Unit
from intarsia.sim.transaction import Bench, Ints, Transaction

LANES = 4
WRONG, LATE, EXTRA, MISSING, STALE, DROPPED, WAITING = range(1, 8)
"""Values of the fault."""


class Doubler(Core):
    """Rows of LANES numbers; with `fault`, a signal, something goes wrong."""

    def __init__(self, fault: Any = 0) -> None:
        self.fault = fault
        super().__init__(
            command=data.StructLayout({"rows": 16}),
            inputs={"i": data.ArrayLayout(signed(8), LANES)},
            result=data.ArrayLayout(signed(16), LANES),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left, delay, last = Signal(16), Signal(), Signal()
        running = Signal(reset_less=True)  # still set after a reset in mid-stream
        stale = Signal()
        m.d.comb += [self.idle.eq((left == 0) & ~delay & ~last), self.i_want.eq((left != 0) & ~delay)]
        with m.If(self.start):
            m.d.sync += [left.eq(self.command.rows), delay.eq(self.fault == LATE)]
            m.d.sync += [stale.eq(running & (self.fault == STALE)), running.eq(1)]
        with m.Else():
            m.d.sync += delay.eq(0)
        with m.If(self.i_want):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 1):
                m.d.sync += running.eq(0)
        m.d.sync += last.eq((left == 1) & self.i_want & (self.fault == EXTRA))
        missing = (self.fault == MISSING) & (left == 2)
        m.d.sync += self.result_valid.eq((self.i_want & ~missing) | last)
        for k in range(LANES):
            wrong = (self.fault == WRONG) & (left == 3) | stale
            m.d.sync += self.result[k].eq(Mux(wrong, 1, self.i[k] * 2))
        return m


def doubler() -> Unit:
    return Unit(Doubler())


def transaction(rows: Ints) -> Transaction:
    """Rows [rows, LANES]."""
    return Transaction(
        f"{len(rows)} rows",
        {"command": {"rows": np.array([len(rows)])}, "i": {"": rows}},
        {"": 2 * rows},
        rows.size,
        len(rows) + 3,
        frozenset({"one row" if len(rows) == 1 else "rows"}),
    )


class DoublerBench(Bench):
    BINS = ("one row", "rows")

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        for count in (1, 2, 5):
            yield transaction(rng.integers(-128, 128, (count, LANES)))

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        while True:
            yield transaction(rng.integers(-128, 128, (int(rng.integers(1, 20)), LANES)))
