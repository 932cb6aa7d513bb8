# amaranth: UnusedElaboratable=no
from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import Assert, Assume, Cover, Fragment, Module, Signal

from intarsia.hw.interfaces.stream import Buffer
from intarsia.hw.lib.divide import SerialDivider
from intarsia.sim.formal import __main__ as command
from intarsia.sim.formal.arithmetic_proofs import ARITHMETIC_PROOFS
from intarsia.sim.formal.division import SerialQuotient
from intarsia.sim.formal.proof import Outcome, Proof, Spec, check
from intarsia.sim.formal.prove import PROOFS, STREAM_PROOFS, prove
from intarsia.sim.formal.streams import BufferHeld, BufferQueue, BufferRegistered
from intarsia.sim.units import NAMES, check_of
from intarsia.synth.process import SimulatorError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INTARSIA_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "buffer-queue",
        "buffer-held",
        "buffer-registered",
        "unit-order",
        "held-argmax",
        "quotient-6-3",
        "root-8",
        "round-shift-8",
    ],
)
def test_quick_proofs(name):
    outcome = prove(name)
    assert (outcome.passed, outcome.mode, outcome.trace) == (True, "prove", None)
    assert outcome.depth == PROOFS[name].depth
    assert outcome.seconds > 0


class Unguarded(Buffer):
    """Accepts a beat in every cycle, room or not."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(1)
        return m


class Impatient(Buffer):
    """Drops a beat that is not taken at once."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.o.valid & ~self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m


class Transparent(Buffer):
    """Passes readiness on in the same cycle, which is right, but no register."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        return m


class Forgetful(SerialDivider):
    """Clears the remainder when the next division starts."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.start):
            m.d.sync += self.remainder.eq(0)
        return m


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        pytest.param(lambda: BufferQueue(Unguarded), "prove", id="loses a beat"),
        pytest.param(lambda: BufferHeld(Impatient), "bmc", id="drops a beat that waits"),
        pytest.param(lambda: BufferRegistered(Transparent), "bmc", id="is not registered"),
        pytest.param(
            lambda: SerialQuotient(dividend_bits=4, divisor_bits=4, digit_bits=2, make=Forgetful),
            "prove",
            id="forgets a remainder",
        ),
    ],
)
def test_wrong_ones_are_found(spec, mode, cache):
    outcome = check("wrong", Proof("", spec, mode, 12, 12))
    assert not outcome.passed
    assert outcome.trace == cache / "formal" / "wrong.vcd"
    assert "$var" in outcome.trace.read_text()


class Counter(Spec):
    """Counts to 5 and stays there: true that it never is 7, but a state of 6 leads to 7."""

    def __init__(self, *, never=None, goal=5):
        super().__init__()
        self.go = self.choose(1, "go")
        self.never, self.goal = never, goal

    def elaborate(self, platform):
        m = Module()
        count = Signal(4)
        with m.If(self.go & (count != 5)):
            m.d.sync += count.eq(count + 1)
        m.d.comb += [Assert(count != 7), Cover(count == self.goal)]
        if self.never is not None:
            m.d.comb += Assume(count != self.never)
        return m


def test_true_for_some_cycles():
    outcome = check("counter", Proof("", Counter, "bmc", 9, 9))
    assert outcome.passed
    assert (outcome.mode, outcome.depth) == ("bmc", 9)


def test_true_but_not_by_induction(cache):
    trace = cache / "formal" / "counter.vcd"
    with pytest.raises(SimulatorError, match=f"^counter: no induction over 4 cycles, see {trace}\n"):
        check("counter", Proof("", Counter, "prove", 4, 9))
    assert trace.exists()


def test_nothing_to_prove():
    with pytest.raises(SimulatorError, match="^counter: what it covers is not reached within 9 cycles$"):
        check("counter", Proof("", lambda: Counter(never=3), "bmc", 9, 9))


def test_the_command_reports_and_fails_if_one_does(monkeypatch, capsys):
    def answer(name):
        if name == "third":
            raise SimulatorError("third: no answer, but TIMEOUT")
        trace = Path("second.vcd") if name == "second" else None
        return Outcome(trace is None, "prove" if name == "first" else "bmc", 8, 2.4, trace)

    names = ["first", "second", "third", "fourth"]
    monkeypatch.setattr(command, "PROOFS", {n: Proof(f"is {n}", Counter, "bmc", 8, 8) for n in names})
    monkeypatch.setattr(command, "prove", answer)
    assert command.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "first   is first: for all time, 2 s",
        "second  is second: WRONG, see second.vcd, 2 s",
        "third   is third: third: no answer, but TIMEOUT",
        "fourth  is fourth: for 8 cycles, 2 s",
    ]
    monkeypatch.setattr(
        command, "PROOFS", {n: Proof("", Counter, "bmc", 8, 8) for n in ("first", "fourth")}
    )
    assert command.main() == 0


def test_no_two_proofs_have_one_name():
    """A mapping of all would keep the last of them only."""
    names = [
        *STREAM_PROOFS,
        *ARITHMETIC_PROOFS,
        *(name for unit in NAMES for name in check_of(unit).proofs),
    ]
    assert sorted(names) == sorted(PROOFS)


def test_every_unit_has_proofs():
    assert not [unit for unit in NAMES if not check_of(unit).proofs]


def test_every_proof_makes_a_design():
    for name, proof in PROOFS.items():
        spec = proof.spec()
        assert spec.free, name
        Fragment.get(spec, platform="formal")
