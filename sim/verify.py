"""One unit held against the reference: compile, play, compare, and say what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emu.machine import Machine
from hw.units import make_unit
from hw.verilog import verilog_text
from sim.benches import BENCHES
from sim.job import Phase, Report
from sim.payload import Payload
from sim.plan import Plan
from sim.runner import SimulatorError, compile_unit, run_jobs


@dataclass(frozen=True)
class Result:
    """What a bench found.

    vectors : output values compared;  cycles : simulated;  mismatches : values that differ, or 1 for
    anything else that is wrong;  bins, missed : coverage;  faults : sentences, the first ones;
    waves : the file of the failing run, if asked for
    """

    name: str
    vectors: int
    cycles: int
    mismatches: int
    bins: int
    missed: tuple[str, ...]
    faults: tuple[str, ...]
    waves: Path | None = None

    @property
    def ok(self) -> bool:
        return not self.mismatches

    @property
    def coverage(self) -> float:
        """Share of the bins that were hit."""
        return 1 - len(self.missed) / self.bins


def verify_unit(name: str, machine: Machine, vectors: int, seed: int, waves: Path | None = None) -> Result:
    """Runs the bench of one unit; with `waves`, a failing run leaves NAME.vcd in that folder.

    A unit that does not compile, or whose simulator breaks down, has failed.
    """
    unit = make_unit(name, machine)
    bench = BENCHES[name](unit.core)
    plan = Plan(bench, vectors, seed)
    missed = tuple(b for b in bench.BINS if b not in plan.bins())
    report, kept = Report(), None
    try:
        verilog = verilog_text(unit, name)
        (report,) = run_jobs(compile_unit(verilog, name), [plan.job()])
        mismatches, faults = judge(plan, report)
        if mismatches and waves is not None:
            kept = waves / f"{name}.vcd"
            job = plan.job([_shortest(plan, report)], stop_at=1)
            (again,) = run_jobs(compile_unit(verilog, name, waves=True), [job], waves=kept)
            faults = (*faults, where_to_look(name, again, kept))
    except SimulatorError as error:
        mismatches, faults = 1, (str(error),)
    return Result(
        name, compared(plan, report), report.cycles, mismatches, len(bench.BINS), missed, faults, kept
    )


def verify_units(
    names: list[str], machine: Machine, vectors: int, seed: int, waves: Path | None, workers: int
) -> Iterator[Result]:
    """Results as units finish, `workers` at a time."""
    with _processes(workers) as pool:
        jobs = [pool.submit(verify_unit, name, machine, vectors, seed, waves) for name in names]
        for job in as_completed(jobs):
            yield job.result()


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    """A pool that does not start what is left when the block ends early."""
    pool = ProcessPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def compared(plan: Plan, report: Report) -> int:
    """Output values that were compared; in a transaction that a reset cut short, a share of them."""
    total = 0
    for index, beats in report.beats.items():
        transaction = plan.transactions[index]
        total += transaction.values * beats // len(next(iter(transaction.output.values())))
    return total


def judge(plan: Plan, report: Report) -> tuple[int, tuple[str, ...]]:
    """Values that differ, plus one for every other error, and what is wrong in words."""
    payload = Payload.of(plan.core.result_shape)
    mismatches = len(report.errors)
    faults = list(report.errors[:5])
    for wrong in report.wrong:
        transaction = plan.transactions[wrong.play]
        got = payload.unpack([wrong.got])
        for field, column in transaction.output.items():
            want = np.atleast_1d(column[wrong.beat])
            have = np.atleast_1d(got[field][0])
            lanes = np.flatnonzero(want != have)
            mismatches += len(lanes)
            if len(lanes) and len(faults) < 5:
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


def where_to_look(name: str, report: Report, waves: Path) -> str:
    """The signal and the time of the first error of a run that was recorded."""
    if report.wrong:
        time = 10 * report.wrong[0].cycle
        return f"see {waves}: TOP.{name}.o__payload at {time} ns, and TOP.{name}.core.result before it"
    if report.errors:
        return f"see {waves}: TOP.{name}.o__valid and o__ready; {report.errors[0]}"
    return (
        f"{waves} shows the phase that failed, by itself it passes: state left by an earlier phase matters"
    )
