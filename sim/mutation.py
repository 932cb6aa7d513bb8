"""How good the bench of a unit is: mutants of the unit that it kills.

A mutant that no run tells from the unit is either equivalent, which Yosys proves by induction over the
two netlists, or a survivor, which the bench has missed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import make_unit
from intarsia.sim.job import Job
from intarsia.sim.plan import Plan
from intarsia.sim.runner import Simulator, compile_unit, run_jobs
from intarsia.sim.units import check_of
from intarsia.synth.mutants import SELECT, Mutant, Mutants, Score
from intarsia.synth.process import SimulatorError
from intarsia.synth.verilog import verilog_text
from intarsia.synth.yosys import yosys

PATIENCE = 3000
QUICK_VECTORS, VECTORS = 4000, 100_000
"""Random values of the first attempt, and of the second, on what that and the proofs leave: as many as
`intarsia verify` plays."""
FLAT = "read_verilog -nosynthesis unit.v\nhierarchy -top {top}\nproc\nflatten\nopt_expr\nopt_clean -purge\n"


def score(name: str, machine: Machine, count: int, seed: int, workers: int) -> Iterator[Score | int]:
    """Yields how many mutants have been decided as it goes on, and the score last."""
    unit = make_unit(name, machine)
    bench = check_of(name).bench(unit.core)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ProcessPoolExecutor(workers) as pool:
        (Path(folder) / "unit.v").write_text(verilog_text(unit, name))
        yosys(f"{FLAT.format(top=name)}write_rtlil flat.il\n", Path(folder))
        mutants = Mutants(name, count, seed, Path(folder))
        simulator = compile_unit(mutants.verilog, name)

        def play(plan: Plan, alive: list[Mutant], at_once: int) -> Iterator[list[Mutant]]:
            job = plan.job(patience=PATIENCE, stop_at=1)
            parts = [alive[k : k + at_once] for k in range(0, len(alive), at_once)]
            return pool.map(_survivors, *zip(*((simulator, job, part) for part in parts), strict=True))

        itself = Mutant(0, "")
        (passing,) = play(Plan(bench, QUICK_VECTORS, seed, exhaustive=False), [itself], 1)
        if not passing:
            raise SimulatorError(f"{name} itself does not pass its bench")
        alive, decided = list[Mutant](), 0
        for part in play(Plan(bench, QUICK_VECTORS, seed, exhaustive=False), mutants.all, 10):
            alive += part
            decided += 10 - len(part)
            yield decided
        different = []
        for mutant, equal in zip(alive, pool.map(mutants.equivalent, alive), strict=True):
            different += [] if equal else [mutant]
            decided += equal
            yield decided
        survivors = []
        if different:
            for part in play(Plan(bench, VECTORS, seed + 1), different, 1):
                survivors += [mutant.what for mutant in part]
                decided += 1
                yield decided
    equivalent = len(alive) - len(different)
    yield Score(name, len(mutants.all) - equivalent - len(survivors), equivalent, tuple(survivors))


def _survivors(simulator: Simulator, job: Job, mutants: list[Mutant]) -> list[Mutant]:
    """Mutants that play the job without any error; one that crashes the simulator is not one of them."""
    jobs = [
        Job(job.inputs, job.plays, job.phases, job.seed, {SELECT: m.number}, job.patience, job.stop_at)
        for m in mutants
    ]
    try:
        reports = run_jobs(simulator, jobs)
    except SimulatorError:
        if len(mutants) == 1:
            return []
        return [left for mutant in mutants for left in _survivors(simulator, job, [mutant])]
    return [m for m, report in zip(mutants, reports, strict=True) if not (report.wrong or report.errors)]
