"""Random programs in the RTL beside the emulator: `make random`.

    python -m tools.random_programs [PROGRAMS [MACHINE...]]

So many programs on every machine, a preset or a file; without any, on MACHINES. Writes
random-programs.json after every program, and goes on where that ends for the same RTL.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.output import console, progress, results
from emu.machine import Machine
from model.files import replacing
from sim.random_program import random_program
from sim.rtl.design import accelerator_verilog, program_depth
from sim.rtl.run import compare_program
from sim.runner import digest

RESULTS = Path("random-programs.json")
PROGRAMS = 250
BASE = replace(Machine.load("tests/hw/small.toml"), banks=29, bank_kib=1)
MACHINES = {
    "small": BASE,
    "odd": replace(
        BASE, lanes=8, depth=16, bank_kib=3, memory_width=4, memory_latency=1, accumulator_rows=100,
        shiftmax_lanes=1, layernorm_lanes=2, gelu_lanes=16, elementwise_lanes=16,
    ),
}  # fmt: skip
"""One with lanes that fill less than a line, and one with few and many, banks of no power of two."""


def main(count: int, names: list[str]) -> int:
    machines = {name: Machine.load(name) for name in names} or MACHINES
    done: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with progress() as bar:
        for name, machine in machines.items():
            task = bar.add_task(f"{name}: compiling", total=count)
            program, _ = random_program(machine, 0)
            design = digest(accelerator_verilog(machine, program_depth(program)))
            if done.get(name, {}).get("design") != design:
                done[name] = {"design": design, "programs": 0, "instructions": 0, "cycles": 0, "wrong": []}
            entry = done[name]
            for seed in range(entry["programs"], count):
                bar.update(task, description=f"{name}: program {seed}", completed=seed)
                found = compare_program(*random_program(machine, seed))
                entry["programs"] = seed + 1
                entry["instructions"] += found.instructions
                entry["cycles"] += found.rtl_cycles
                if not found.ok:
                    entry["wrong"].append(seed)
                    for problem in found.problems:
                        console.print(f"{name}, program {seed}: {problem}")
                with replacing(RESULTS) as path:
                    path.write_text(json.dumps(done, indent=1))
            bar.update(task, completed=count)
    for name in machines:
        entry = done[name]
        results.print(
            f"{name}: {entry['programs']} programs, {entry['instructions']:,} instructions,"
            f" {entry['cycles']:,} cycles, {len(entry['wrong'])} not equal"
        )
    return 1 if any(done[name]["wrong"] for name in machines) else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    number = int(words.pop(0)) if words and words[0].isdigit() else PROGRAMS
    sys.exit(main(number, words))
