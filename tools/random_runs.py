"""Runs in the RTL that a seed makes, one after the other on each machine; goes on where it stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from intarsia.arch.machine import Machine
from intarsia.cli.output import console, progress, results
from intarsia.model.cache import digest
from intarsia.model.errors import InputError
from intarsia.sim.rtl.design import USUAL_DEPTH, accelerator_verilog
from intarsia.sim.rtl.run import Comparison
from tools.unfinished import read_results, write_results

Play = Callable[[Machine, int], tuple[Comparison, bool]]
"""What a seed came to on a machine, and whether all is equal."""


def main(what: str, usual: Mapping[str, tuple[Machine, int]], play: Play) -> int:
    """[COUNT [MACHINE...]] of the command line, or so many on each of the usual machines; the exit code.

    A MACHINE is one of the usual ones, a preset or a file.
    """
    words = sys.argv[1:]
    count = int(words.pop(0)) if words and words[0].isdigit() else None
    most = max(times for _, times in usual.values())
    try:
        named = {name: usual.get(name) or (Machine.load(name), most) for name in words} or dict(usual)
        runs = {name: (machine, count or times) for name, (machine, times) in named.items()}
        return play_all(what, Path(f"random-{what}s.json"), runs, play)
    except InputError as error:
        console.print(str(error))
        return 2


def play_all(what: str, results_file: Path, machines: Mapping[str, tuple[Machine, int]], play: Play) -> int:
    """Plays so many seeds, from 0 on, on every machine, and writes the file after each; those that it has
    for the same RTL are not played again. 1 if any was not equal, otherwise 0."""
    done = read_results(results_file)
    with progress() as bar:
        for name, (machine, count) in machines.items():
            task = bar.add_task(f"{name}: compiling", total=count)
            design = digest(accelerator_verilog(machine, USUAL_DEPTH))
            if done.get(name, {}).get("design") != design:
                done[name] = {"design": design, "runs": 0, "instructions": 0, "cycles": 0, "wrong": []}
            entry = done[name]
            for seed in range(entry["runs"], count):
                bar.update(task, description=f"{name}: {what} {seed}", completed=seed)
                found, equal = play(machine, seed)
                entry["runs"] = seed + 1
                entry["instructions"] += found.instructions
                entry["cycles"] += found.rtl_cycles
                if not equal:
                    entry["wrong"].append(seed)
                    for problem in found.problems:
                        console.print(f"{name}, {what} {seed}: {problem}")
                write_results(results_file, done)
            bar.update(task, completed=count)
    for name in machines:
        entry = done[name]
        results.print(
            f"{name}: {entry['runs']} {what}s, {entry['instructions']:,} instructions,"
            f" {entry['cycles']:,} cycles, {len(entry['wrong'])} not equal"
        )
    return 1 if any(done[name]["wrong"] for name in machines) else 0
