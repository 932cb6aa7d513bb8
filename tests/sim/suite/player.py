"""Plays mutants of the toy, as `tools.play_mutants` does those of hardware."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from intarsia.sim.suite.play import play
from tests.sim.suite.toy import TARGETS

if __name__ == "__main__":
    name, shared_object, mutants, workers = sys.argv[1:]
    numbers = json.loads(Path(mutants).read_text())
    sys.exit(play(TARGETS[name], Path(shared_object), numbers, int(workers)))
