"""`python -m tools.play_mutants TARGET SHARED_OBJECT MUTANTS WORKERS`: what `sim.suite.score` starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from intarsia.sim.suite.play import play
from tests.hw.targets import TARGETS

if __name__ == "__main__":
    name, shared_object, mutants, workers = sys.argv[1:]
    numbers = json.loads(Path(mutants).read_text())
    sys.exit(play(TARGETS[name], Path(shared_object), numbers, int(workers)))
