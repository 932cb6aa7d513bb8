"""The process that runs the tests: on the compiled component as it is, then on every mutant."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from intarsia.sim.suite.compiled import Calls
from intarsia.sim.suite.forks import each
from intarsia.sim.suite.stand_in import StandIn
from intarsia.sim.suite.target import Target

FACTOR, GRACE = 10, 60
"""A mutant that makes a test take so many times as long, and so many seconds more, is killed by it."""


class Plugin:
    """Runs what pytest has collected. Prints lines of JSON: first the tests that count and their seconds,
    then per mutant its number and the test that failed, "" if none did."""

    def __init__(self, stand_in: StandIn, mutants: list[int], workers: int) -> None:
        self.stand_in, self.mutants, self.workers = stand_in, mutants, workers
        self.failed = ""
        self.items: list[Any] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or f"{report.nodeid}: {str(report.longrepr)[-800:]}"

    def pytest_runtestloop(self, session: Any) -> bool:
        with self.stand_in.placed():
            counting = []
            for item in session.items:
                self.stand_in.used, began = False, time.perf_counter()
                self._run(item)
                if self.stand_in.used:
                    counting.append((time.perf_counter() - began, item.nodeid, item))
            if self.failed:
                raise pytest.UsageError(f"the component itself does not pass its tests: {self.failed}")
            if not counting:
                raise pytest.UsageError("no test builds the component with these parameters")
            counting.sort(key=lambda one: one[0])
            _say({"tests": {nodeid: seconds for seconds, nodeid, _ in counting}})
            self.items = [item for *_, item in counting]
            limit = FACTOR * sum(seconds for seconds, *_ in counting) + GRACE
            for mutant, code, tests in each(self.mutants, self._play, self.workers, limit):
                last = tests.rpartition("\n")[2]
                hows = {0: "", 1: last, -signal.SIGALRM: f"{last} (takes too long)"}
                _say({"mutant": mutant, "killer": hows.get(code, f"{last} ({code})")})
        return True

    def _run(self, item: Any) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    def _play(self, mutant: int, write: int) -> int:
        """1 as soon as a test fails, whose name is then the last that was written."""
        self.stand_in.mutant = mutant
        for item in self.items:
            os.write(write, f"\n{item.nodeid}".encode())
            self._run(item)
            if self.failed:
                return 1
        return 0


def _say(what: dict[str, Any]) -> None:
    sys.__stdout__.write(f"{json.dumps(what)}\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def play(target: Target, shared_object: Path, mutants: list[int], workers: int) -> int:
    """Pytest's exit code."""
    # The same examples for every mutant, and the first that fails is enough.
    settings.register_profile(
        "mutants", database=None, derandomize=True, phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    settings.load_profile("mutants")
    stand_in = StandIn(target, Calls(shared_object, target.make()))
    plugin = Plugin(stand_in, mutants, workers)
    options = ("--capture=no", "-p", "no:cacheprovider", "-p", "no:terminal")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return int(pytest.main([*options, *target.tests], plugins=[plugin]))
