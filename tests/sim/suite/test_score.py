# amaranth: UnusedElaboratable=no
"""Tests are scored by the mutants that their assertions notice."""

from __future__ import annotations

import os
import signal
import time

import pytest

from intarsia.sim.suite.forks import CRASHED, each
from intarsia.sim.suite.score import score
from intarsia.sim.suite.target import parameters
from intarsia.synth.mutants import Score
from intarsia.synth.process import SimulatorError
from tests.sim.suite.toy import TARGETS, Toy

COUNT = 30
PLAYER = "tests.sim.suite.player"


def scored(name: str) -> Score:
    *counts, last = score(TARGETS[name], PLAYER, COUNT, 1, 2)
    assert isinstance(last, Score) and counts == sorted(counts)  # type: ignore[type-var]
    return last


def test_every_visible_mutant_is_killed_by_a_test_of_all_inputs() -> None:
    """Of those with the parameters of the target: another test builds the component with others."""
    found = scored("adds")
    assert found.killed + found.equivalent == COUNT and not found.survivors


def test_none_is_killed_by_a_test_that_looks_away() -> None:
    found = scored("looks_away")
    assert found.killed == 0 and len(found.survivors) > COUNT // 2


def test_a_target_that_no_test_builds_is_an_error() -> None:
    with pytest.raises(SimulatorError, match="no test builds the component with these parameters"):
        scored("is_about_another")


def test_parameters_are_what_is_no_hardware() -> None:
    assert parameters(Toy(first=4)) == {"first": 4}


def test_processes_end_with_their_code() -> None:
    def work(job: str, write: int) -> int:
        os.write(write, job.encode())
        if job == "hangs":
            time.sleep(30)
        return {"good": 0, "bad": 1}[job]

    jobs = ["good", "bad", "hangs", "raises"]
    codes = {job: (code, text) for job, code, text in each(jobs, work, 4, 2)}
    assert codes == {
        "good": (0, "good"),
        "bad": (1, "bad"),
        "hangs": (-signal.SIGALRM, "hangs"),
        "raises": (CRASHED, "raises"),
    }
