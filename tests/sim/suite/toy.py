# amaranth: UnusedElaboratable=no
"""A small component, and the tests that its mutants are played with."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.sim.suite.target import Target


class Toy(wiring.Component):
    """Adds; a register behind it. `first` : what it shows at first."""

    def __init__(self, *, first: int) -> None:
        self.first = first
        super().__init__({"begin": In(4), "b": In(4), "sum": Out(5, init=first), "over": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.over.eq(self.begin > self.b)
        m.d.sync += self.sum.eq(self.begin + self.b)
        return m


FILE = "tests/sim/suite/test_toy.py"
TARGETS = {
    test: Target(test, lambda: Toy(first=3), (f"{FILE}::test_{test}",))
    for test in ("adds", "looks_away", "is_about_another")
}
