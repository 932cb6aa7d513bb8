"""How good a bench is: mutants of the netlist that it kills (Yosys `mutate`, as in MCY).

All mutants of a unit are in one netlist, which an input `mutsel` switches on one at a time, so that
one compilation serves them all. A mutant that no run tells from the unit is either equivalent, which
Yosys proves by induction over the two netlists, or a survivor, which the bench has missed.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from emu.machine import Machine
from hw.units import make_unit
from hw.verilog import verilog_text
from sim.benches import BENCHES
from sim.job import Job
from sim.plan import Plan
from sim.runner import Simulator, SimulatorError, compile_unit, run_jobs
from sim.yosys import yosys

SELECT, SELECT_BITS = "mutsel", 16
PATIENCE = 3000
QUICK_VECTORS, VECTORS = 4000, 100_000
"""Random values of the first attempt, and of the second, on what that and the proofs leave: as many as
`intarsia verify` plays."""
PROOF_SECONDS = 240
IGNORE = "-ignore-unknown-cells"
"""Memories, to the solver of Yosys."""
VERDICT = "equiv_status -assert"
UNKNOWN = re.compile(r"memrd\S* -port (?!ADDR|DATA)")
"""Ports of memories read without a clock that Yosys refuses to find connected."""


@dataclass(frozen=True)
class Mutant:
    """A changed bit of a cell's port; `command` is Yosys's, `what` says it to people."""

    number: int
    command: str

    @property
    def what(self) -> str:
        words = dict(re.findall(r"-(mode|cell|port|portbit|wire|wirebit|src) (\S+)", self.command))
        place = f"{words['cell']} {words['port']}[{words['portbit']}]"
        wire = f" ({words['wire']}[{words['wirebit']}])" if "wire" in words else ""
        return f"{words['mode']} at {place}{wire}"


@dataclass(frozen=True)
class Score:
    """killed, equivalent, survivors: together all mutants."""

    name: str
    killed: int
    equivalent: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Killed, of those that are not equivalent."""
        return self.killed / max(self.killed + len(self.survivors), 1)


class Mutants:
    """The mutants of one netlist, in a folder of their own. Number 0 is the unit itself."""

    def __init__(self, verilog: str, top: str, count: int, seed: int, folder: Path) -> None:
        self.top, self.folder = top, folder
        (folder / "unit.v").write_text(verilog)
        yosys(
            f"read_verilog -nosynthesis unit.v\nhierarchy -top {top}\nproc\nflatten\n"
            "opt_expr\nopt_clean -purge\n"
            "write_rtlil flat.il\n"
            f"mutate -list {count} -seed {seed} -ctrl {SELECT} {SELECT_BITS} 1 -o list.ys"
            " * t:$meminit* %d\n",
            folder,
        )
        commands = [c for c in (folder / "list.ys").read_text().splitlines() if not UNKNOWN.search(c)]
        (folder / "list.ys").write_text("\n".join(commands))
        yosys("read_rtlil flat.il\nscript list.ys\nopt_clean\nwrite_verilog -noattr mutants.v\n", folder)
        numbers = [int(re.findall(rf"-ctrl {SELECT} \d+ (\d+)", command)[0]) for command in commands]
        self.all = list(map(Mutant, numbers, commands))
        self.verilog = (folder / "mutants.v").read_text()

    def equivalent(self, mutant: Mutant) -> bool:
        """Whether Yosys proves that the mutant does what the unit does, in every reachable or
        unreachable state; False where it finds no proof in time.

        A memory is one for both: what is written to it and its addresses must be equal, what is read
        from it is then the same, and may be anything.
        """
        change = re.sub(rf"-ctrl {SELECT} \d+ \d+", "", mutant.command)
        script = (
            f"read_rtlil flat.il\nrename {self.top} gold\nread_rtlil flat.il\nselect {self.top}\n"
            f"{change}\nselect -clear\nrename {self.top} gate\nmemory_collect\n"
            "equiv_make gold gate both\nhierarchy -top both\n"
            f"equiv_simple -short {IGNORE}\nequiv_simple -seq 3 {IGNORE}\nequiv_remove\n"
            # What does not lead to a question that is left would only keep the solver busy.
            f"equiv_induct -seq 5 {IGNORE} t:$equiv %ci*\n{VERDICT}\n"
        )
        folder = self.folder / f"equivalence{mutant.number}"
        folder.mkdir()
        (folder / "flat.il").write_text((self.folder / "flat.il").read_text())
        try:
            yosys(script, folder, timeout=PROOF_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        except SimulatorError as error:
            if VERDICT not in str(error):
                raise  # the script has failed, not the proof
            return False
        return True


def score(name: str, machine: Machine, count: int, seed: int, workers: int) -> Iterator[Score | int]:
    """Yields how many mutants have been decided as it goes on, and the score last."""
    unit = make_unit(name, machine)
    bench = BENCHES[name](unit.core)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ProcessPoolExecutor(workers) as pool:
        mutants = Mutants(verilog_text(unit, name), name, count, seed, Path(folder))
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
