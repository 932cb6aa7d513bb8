"""One unit held against the reference: compile, play, compare, and say what is wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Fragment

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.registry import UNITS
from intarsia.sim.design import Design
from intarsia.sim.icarus import ICARUS
from intarsia.sim.job import Phase, Report
from intarsia.sim.payload import Payload
from intarsia.sim.plan import Plan
from intarsia.sim.runner import VERILATOR, Simulator, compile_unit, run_jobs
from intarsia.sim.units import check_of
from intarsia.synth.process import SimulatorError, processes, work
from intarsia.synth.verilog import verilog_text

SHOWN = 5
"""Faults in words, at most."""


@dataclass(frozen=True)
class Check:
    """One thing that a bench looks at.

    failures : how often it was not so;  faults : sentences, the first ones;  skipped : why it was not
    looked at
    """

    name: str
    failures: int = 0
    faults: tuple[str, ...] = ()
    skipped: str = ""


@dataclass(frozen=True)
class Result:
    """What a bench found.

    vectors : output values compared;  cycles : simulated;  mismatches : values that differ, or 1 for
    anything else that is wrong;  bins, missed : coverage;  faults : sentences, the first ones;
    waves : the file of the failing run, if asked for;  seconds : it took, compiling included;
    checks : the same by what was looked at;  measured : cycles of the commands that were measured alone,
    and those that ours take
    """

    name: str
    vectors: int
    cycles: int
    mismatches: int
    bins: int
    missed: tuple[str, ...]
    faults: tuple[str, ...]
    waves: Path | None = None
    seconds: float = 0.0
    checks: tuple[Check, ...] = ()
    measured: tuple[int, int] = (0, 0)

    @property
    def ok(self) -> bool:
        return not self.mismatches

    @property
    def coverage(self) -> float:
        """Share of the bins that were hit."""
        return 1 - len(self.missed) / self.bins


@dataclass(frozen=True)
class Setup:
    """How units are verified.

    vectors : random output values, besides directed ones;  waves : a failing run leaves its waveform in
    this folder;  tool : the simulator;  design : RTL in the place of ours
    """

    machine: Machine
    vectors: int
    seed: int
    waves: Path | None = None
    tool: str = VERILATOR
    design: Design | None = None


def verify_unit(name: str, setup: Setup) -> Result:
    """Runs the bench of one unit.

    A unit that does not compile, or whose simulator breaks down, has failed. Of RTL in the place of ours
    the cycles are measured, but may be any.
    """
    began = time.perf_counter()
    core = UNITS[name].core(setup.machine)
    bench = check_of(name).bench(core)
    plan = Plan(bench, setup.vectors, setup.seed)
    missed = tuple(b for b in bench.BINS if b not in plan.bins())
    report, kept = Report(), None
    breakdown: tuple[str, ...] = ()
    if setup.design is None:
        design = Design(verilog_text(Unit(core), name), name)
    else:
        Fragment.get(core, None)  # Amaranth warns of components that were made for nothing.
        design = setup.design
    try:
        (report,) = run_jobs(_simulator(design, setup), [plan.job(ours=design.ours)], place=design.place)
        mismatches, faults = judge(plan, report)
        if mismatches and setup.waves is not None:
            kept = setup.waves / f"{name}.{'fst' if setup.tool == ICARUS else 'vcd'}"
            job = plan.job([_shortest(plan, report)], stop_at=1, ours=design.ours)
            simulator = _simulator(design, setup, waves=True)
            (again,) = run_jobs(simulator, [job], waves=kept, place=design.place)
            faults = (*faults, where_to_look(design, again, kept))
    except SimulatorError as error:
        breakdown = (str(error),)
        mismatches, faults = 1, breakdown
    return Result(
        name, compared(plan, report), report.cycles, mismatches, len(bench.BINS), missed, faults, kept,
        seconds=time.perf_counter() - began,
        checks=checks(plan, report, breakdown, ours=design.ours),
        measured=(sum(report.measured.values()), sum(plan.transactions[k].cycles for k in report.measured)),
    )  # fmt: skip


def _simulator(design: Design, setup: Setup, *, waves: bool = False) -> Simulator:
    return compile_unit(design.verilog, design.top, waves=waves, tool=setup.tool, included=design.included)


def verify_units(names: list[str], setup: Setup, workers: int) -> Iterator[Result]:
    """Results as units finish, `workers` at a time."""
    with processes(workers) as pool:
        jobs = [pool.submit(work, verify_unit, name, setup) for name in names]
        for job in as_completed(jobs):
            yield job.result()


def compared(plan: Plan, report: Report) -> int:
    """Output values that were compared; in a transaction that a reset cut short, a share of them."""
    total = 0
    for index, beats in report.beats.items():
        transaction = plan.transactions[index]
        total += transaction.values * beats // len(next(iter(transaction.output.values())))
    return total


def judge(plan: Plan, report: Report) -> tuple[int, tuple[str, ...]]:
    """Values that differ, plus one for every other error, and what is wrong in words."""
    mismatches, faults = _wrong_values(plan, report)
    return len(report.errors) + mismatches, (*report.errors[:SHOWN], *faults)[:SHOWN]


def checks(plan: Plan, report: Report, breakdown: tuple[str, ...], *, ours: bool) -> tuple[Check, ...]:
    """What was looked at, one by one; `breakdown` says why the simulator has left no report, if so."""
    late = Counter(report.late)
    protocol = tuple(error for error in report.errors if error not in late)
    mismatches, faults = _wrong_values(plan, report)
    found = [
        Check("simulation", len(breakdown), breakdown),
        Check("values", mismatches, faults),
        Check("handshake", len(protocol), protocol[:SHOWN]),
        Check("cycles", len(late), tuple(report.late[:SHOWN])),
    ]
    if not ours:
        found[-1] = Check("cycles", skipped="the latency of RTL that is not ours may be any")
    if breakdown:
        found[1:] = [Check(check.name, skipped="the simulator left no report") for check in found[1:]]
    return tuple(found)


def _wrong_values(plan: Plan, report: Report) -> tuple[int, tuple[str, ...]]:
    """Values that differ, and the first ones in words."""
    payload = Payload.of(plan.core.result_shape)
    mismatches = 0
    faults: list[str] = []
    for wrong in report.wrong:
        transaction = plan.transactions[wrong.play]
        got = payload.unpack([wrong.got])
        for field, column in transaction.output.items():
            want = np.atleast_1d(column[wrong.beat])
            have = np.atleast_1d(got[field][0])
            lanes = np.flatnonzero(want != have)
            mismatches += len(lanes)
            if len(lanes) and len(faults) < SHOWN:
                lane = lanes[0]
                faults.append(
                    f"{transaction.name}: beat {wrong.beat}, lane {lane} is {have[lane]}, not {want[lane]}"
                    f" (cycle {wrong.cycle})"
                )
    return mismatches, tuple(faults)


def _shortest(plan: Plan, report: Report) -> Phase:
    """What shows the first error again in few cycles: its phase, or of a timed phase its play alone."""
    if not report.wrong:
        return plan.phases[report.phase]
    first = report.wrong[0]
    phase = plan.phases[first.phase]
    return Phase([first.play], timed=True) if phase.timed else phase


def where_to_look(design: Design, report: Report, waves: Path) -> str:
    """The signal and the time of the first error of a run that was recorded."""
    top = f"TOP.{design.top}" if waves.suffix == ".vcd" else design.top
    if report.wrong:
        time = 10 * report.wrong[0].cycle
        where = f"and {top}.{'core.result before it' if design.ours else 'unit around it'}"
        return f"see {waves}: {top}.o__payload at {time} ns, {where}"
    if report.errors:
        return f"see {waves}: {top}.o__valid and o__ready; {report.errors[0]}"
    return (
        f"{waves} shows the phase that failed, by itself it passes: state left by an earlier phase matters"
    )
