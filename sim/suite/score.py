"""The score of the tests of one target."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from intarsia.sim.suite.compiled import compile_calls, flat_netlist
from intarsia.sim.suite.target import Target
from intarsia.synth.mutants import Mutants, Score
from intarsia.synth.process import SimulatorError


def score(target: Target, player: str, count: int, seed: int, workers: int) -> Iterator[Score | int]:
    """Yields how many mutants have been decided as it goes on, and the score last. `player` is the module
    that plays a target, called with its name, the shared object, mutants and how many at once."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        component, top = target.make(), target.name.replace("-", "_")
        flat_netlist(component, top, folder)
        mutants = Mutants(top, count, seed, folder, target.cells)
        shared_object = compile_calls(component, top, mutants.verilog, folder)
        (folder / "mutants").write_text(json.dumps([mutant.number for mutant in mutants.all]))
        killers: dict[int, str] = {}
        for line in _played(player, target.name, str(shared_object), str(folder / "mutants"), str(workers)):
            if "mutant" in line:
                killers[line["mutant"]] = line["killer"]
                yield sum(map(bool, killers.values()))
        alive = [mutant for mutant in mutants.all if not killers[mutant.number]]
        with ThreadPoolExecutor(workers) as pool:
            equal = list(pool.map(mutants.equivalent, alive))
        survivors = tuple(m.what for m, same in zip(alive, equal, strict=True) if not same)
        yield Score(target.name, len(mutants.all) - len(alive), sum(equal), survivors)


def _played(player: str, *arguments: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", player, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
        tail = process.stderr.read()[-2000:]
        if process.wait():
            raise SimulatorError(f"{player} {arguments[0]} failed: {tail}")
