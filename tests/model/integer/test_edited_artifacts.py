"""Artifacts with random edits: refused in one sentence, or the same integers from all that run them."""

from __future__ import annotations

import random
import time

import numba
import pytest

from intarsia.model.errors import InputError
from intarsia.model.integer.artifact import save_artifact
from tools.fuzzing.artifacts import Judge, networks, write

EDITS = 300
"""As many in a test; `make fuzz` goes on."""


@pytest.fixture
def one_thread():
    """Threads would wait for each other longer than they work on networks so small."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


def test_random_edits(tmp_path, one_thread):
    graphs, judge, path = networks(), Judge(), tmp_path / "model.intarsia"
    outcomes = {"refused": 0, "accepted": 0}
    for graph in graphs:
        save_artifact(graph, path)
        assert judge(path) == "accepted"
    for seed in range(EDITS):
        done = write(path, graphs[seed % len(graphs)], random.Random(seed))
        start = time.process_time()
        try:
            outcomes[judge(path).partition(";")[0]] += 1
        except InputError as error:
            outcomes["refused"] += 1
            sentence = str(error).removeprefix(f"{path}: ")
            assert sentence.isprintable() and len(sentence) < 400, f"seed {seed}, {done}: {sentence!r}"
            assert time.process_time() - start < 1, f"seed {seed}, {done}: {sentence}"
        except Exception as error:
            raise AssertionError(f"seed {seed}: {done}") from error
    # Both must be plenty, or the edits are too wild or too tame to show anything.
    assert min(outcomes.values()) > EDITS / 15, outcomes
