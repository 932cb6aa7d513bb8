"""Scores every bench of a unit, and the tests of other components, by the mutants that they kill: all, or
those named; `make mutation`.

Prints a table and writes mutation.json; what is already in that file is not done again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from intarsia.arch.machine import Machine
from intarsia.cli.output import progress, results
from intarsia.hw.units.registry import unit_names
from intarsia.model.files import replacing
from intarsia.sim import mutation
from intarsia.sim.suite.score import score as score_tests
from intarsia.synth.mutants import Score
from tests.hw.targets import TARGETS

MUTANTS = 140
SEED = 1
RESULTS = Path("mutation.json")


def main(wanted: list[str]) -> None:
    done: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    names = unit_names(wanted, tuple(TARGETS))
    with progress() as bar:
        for name in names:
            if name in done:
                continue
            task = bar.add_task(name, total=MUTANTS)
            for step in steps(name, os.cpu_count() or 1):
                if isinstance(step, Score):
                    done[name] = asdict(step)
                else:
                    bar.update(task, completed=step)
            with replacing(RESULTS) as path:
                path.write_text(json.dumps(done, indent=1))
            results.print(line(name, done[name]))
    for name in names:
        for survivor in done[name]["survivors"]:
            results.print(f"{name}: survived: {survivor}")


def steps(name: str, workers: int) -> Iterator[Score | int]:
    """How many mutants have been decided, as it goes on; then the score."""
    if name in TARGETS:
        return score_tests(TARGETS[name], "tools.play_mutants", MUTANTS, SEED, workers)
    return mutation.score(name, Machine.load("tests/hw/small.toml"), MUTANTS, SEED, workers)


def line(name: str, entry: dict[str, Any]) -> str:
    killed, survivors = entry["killed"], len(entry["survivors"])
    share = killed / (killed + survivors)
    return f"{name}: {killed} killed, {entry['equivalent']} equivalent, {survivors} survived: {share:.1%}"


if __name__ == "__main__":
    main(sys.argv[1:])
