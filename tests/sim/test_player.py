# amaranth: UnusedElaboratable=no
"""The driver on a unit with faults: each must be found, and a right unit must pass."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from intarsia.hw.interfaces.stream import Unit
from intarsia.sim.job import Report
from intarsia.sim.plan import Plan
from intarsia.sim.runner import Simulator, compile_unit, run_jobs
from intarsia.synth.verilog import verilog_text
from tests.sim.toy import DROPPED, EXTRA, LATE, MISSING, STALE, WAITING, WRONG, Doubler, DoublerBench


class Faulty(wiring.Component):
    """A unit whose input `fault` chooses what goes wrong."""

    def __init__(self) -> None:
        self.unit = Unit(Doubler(Signal(3)))
        super().__init__({**self.unit.signature.members, "fault": In(3)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        m.d.comb += unit.core.fault.eq(self.fault)
        for name in ("command", "i", "o"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(unit, name))
        with m.If((self.fault == DROPPED) & ~self.o.ready):
            m.d.comb += self.o.valid.eq(0)
        with m.If(self.fault == WAITING):
            seen = Signal()
            m.d.sync += seen.eq(Mux(seen, ~self.o.ready, self.o.ready & unit.o.valid))
            m.d.comb += [self.o.valid.eq(seen), unit.o.ready.eq(seen & self.o.ready)]
        return m


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return compile_unit(verilog_text(Faulty(), "faulty"), "faulty")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(DoublerBench(Doubler()), vectors=2000, seed=3)


def played(simulator: Simulator, plan: Plan, fault: int) -> Report:
    (report,) = run_jobs(simulator, [plan.job(patience=200, constants={"fault": fault})])
    return report


def test_a_right_unit_passes_and_all_is_compared(simulator: Simulator, plan: Plan) -> None:
    report = played(simulator, plan, 0)
    assert not report.wrong
    assert not report.errors
    whole = {k for phase in plan.phases if phase.reset_after is None for k in phase.plays}
    assert whole <= set(report.beats)
    assert report.cycles > sum(len(t.inputs["i"][""]) for t in plan.transactions)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (LATE, "2 rows: 6 cycles from its command to its last result, not 5"),
        (EXTRA, "a beat left that nothing had asked for"),
        (MISSING, "nothing moved for 200 cycles"),
        (DROPPED, "valid of o fell before its beat was taken"),
        (WAITING, "nothing moved for 200 cycles: 0 of"),
    ],
)
def test_errors_are_named(simulator: Simulator, plan: Plan, fault: int, text: str) -> None:
    assert any(text in error for error in played(simulator, plan, fault).errors)


def test_a_wrong_value_is_found_with_its_place(simulator: Simulator, plan: Plan) -> None:
    report = played(simulator, plan, WRONG)
    first = report.wrong[0]
    assert plan.transactions[first.play].name == "5 rows"
    assert first.beat == 2
    assert first.got != plan.job().plays[first.play].output[2]


def test_state_that_survives_a_reset_is_found(simulator: Simulator, plan: Plan) -> None:
    report = played(simulator, plan, STALE)
    assert report.wrong or report.errors
