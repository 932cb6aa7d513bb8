"""Random programs in the RTL beside the emulator: `make random`.

    python -m tools.random_programs [PROGRAMS [MACHINE...]]

So many programs on every machine, a preset or a file; without any, on MACHINES, and a tenth as many on each
of some at the corners of what machines may be. Writes
random-programs.json after every program, and goes on where that ends for the same RTL.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from intarsia.arch.machine import Machine
from intarsia.arch.random_program import least_banks, random_program
from intarsia.sim.random_machine import corners
from intarsia.sim.rtl.run import Comparison, compare_program
from tools.random_runs import main

PROGRAMS, CORNER_PROGRAMS = 250, 25
BASE = replace(Machine.load("tests/hw/small.toml"), banks=29, bank_kib=1)
MACHINES = {
    "small": BASE,
    "odd": replace(
        BASE, lanes=8, depth=16, bank_kib=3, memory_width=4, memory_latency=1, accumulator_rows=100,
        shiftmax_lanes=1, layernorm_lanes=2, gelu_lanes=16, elementwise_lanes=16,
    ),
}  # fmt: skip
"""One with lanes that fill less than a line, and one with few and many, banks of no power of two."""


def play(machine: Machine, seed: int) -> tuple[Comparison, bool]:
    found = compare_program(*random_program(machine, seed))
    return found, found.ok


if __name__ == "__main__":
    usual = {name: (machine, PROGRAMS) for name, machine in MACHINES.items()}
    sys.exit(main("program", usual | corners(CORNER_PROGRAMS, banks=least_banks()), play))
