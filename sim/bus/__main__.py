"""`python -m intarsia.sim.bus [SEEDS]`: so many cases of every kind, 50 if nothing is said."""

from __future__ import annotations

import sys

from intarsia.sim.bus.cases import CASES
from intarsia.sim.bus.check import check
from intarsia.synth.process import SimulatorError

SEEDS = 50
AT_ONCE = 10
"""Cases in one process: what it says comes when it ends."""


def main(seeds: int) -> int:
    wrong = 0
    for name in CASES:
        runs = cycles = in_flight = 0
        for first in range(0, seeds, AT_ONCE):
            try:
                outcome = check(name, range(first, min(first + AT_ONCE, seeds)))
            except SimulatorError as error:
                sys.stdout.write(f"{name}, seeds from {first}: {error}\n")
                wrong += 1
                continue
            runs, cycles = runs + outcome.runs, cycles + outcome.cycles
            in_flight += outcome.in_flight
            wrong += len(outcome.faults)
            sys.stdout.writelines(f"{fault}\n" for fault in outcome.faults)
        sys.stdout.write(f"{name:10}  {runs} runs, {cycles:,} cycles, {in_flight} errors in flight\n")
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS))
