"""Machines at the corners of what they may be, and a network on each: `make random-machines`.

    python -m tools.random_machines [MACHINES]

The RTL's engines are made for every machine. The largest of some random networks that fits it is compiled
and checked, also for other times of its units, and every tensor in the emulator is held against the
executor's. Writes random-machines.json after every machine, and goes on where that ends.
"""

from __future__ import annotations

import gc
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import UnusedElaboratable
from numpy.typing import NDArray

from intarsia.arch.hazards import check_program, check_waits
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.cli.output import console, progress, results
from intarsia.emu.compile import compile_graph
from intarsia.hw.accelerator import Accelerator
from intarsia.hw.assembly import Engines
from intarsia.model.errors import InputError
from intarsia.model.files import replacing
from intarsia.model.integer.graph import Graph
from intarsia.sim.emulated import emulate_network
from intarsia.sim.flat_scratchpad import FlatScratchpad
from intarsia.sim.random_machine import random_machine
from intarsia.sim.random_network import SIDES, random_network

MACHINES = 500
FILE = Path("random-machines.json")


def build(machine: Machine) -> None:
    """Makes the engines, the memories and what controls them; their parts refuse what they cannot be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        Accelerator(machine, depth=512, scratchpad=FlatScratchpad).elaborate(None)
        Engines(machine, FlatScratchpad).elaborate(None)
        gc.collect()  # The parts refer to each other: left alone, Amaranth would warn of them later.


def emulate(machine: Machine, seed: int) -> tuple[int, list[str]]:
    """Values compared, and what is wrong; no value where no network fits."""
    for most in SIDES:
        graph, picture = random_network(seed, most)
        try:
            program = compile_graph(graph, machine)
        except InputError:
            continue
        return checked(graph, program, picture)
    return 0, []


def checked(graph: Graph, program: Program, picture: NDArray[np.uint8]) -> tuple[int, list[str]]:
    """Of a program that fits."""
    try:
        check_program(program)
        check_waits(program)
        found = emulate_network(graph, program, picture)
    except InputError as error:
        return 0, [str(error)]
    problems = [f"{found.wrong} values are wrong"] if found.wrong else []
    problems += [f"{name} is not all there" for name in found.hidden]
    return found.compared, problems


def play(seed: int) -> tuple[int, list[str]]:
    """As `emulate`, on the machine of a seed."""
    machine = random_machine(seed)
    try:
        build(machine)
    except ValueError as error:
        return 0, [f"the RTL cannot be built for {machine}: {error}"]
    return emulate(machine, seed)


def main() -> int:
    """[MACHINES] of the command line, or MACHINES; the exit code."""
    count = int(sys.argv[1]) if sys.argv[1:] else MACHINES
    done: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for key, value in {"machines": 0, "networks": 0, "values": 0, "wrong": []}.items():
        done.setdefault(key, value)
    with progress() as bar:
        task = bar.add_task("machines", total=count)
        for seed in range(done["machines"], count):
            bar.update(task, completed=seed)
            values, problems = play(seed)
            done["machines"], done["values"] = seed + 1, done["values"] + values
            done["networks"] += bool(values)
            if problems:
                done["wrong"].append(seed)
            for problem in problems:
                console.print(f"machine {seed}: {problem}")
            with replacing(FILE) as path:
                path.write_text(json.dumps(done, indent=1))
    results.print(
        f"{done['machines']} machines, {done['networks']} networks, {done['values']:,} values,"
        f" {len(done['wrong'])} machines wrong"
    )
    return 1 if done["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
