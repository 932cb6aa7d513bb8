"""Faults planted into `hw/` one at a time, and the test that must fail for each: `make planted`.

In a copy of `hw` a text is changed, and pytest runs the test on it. A fault survives if the test passes.
Words name the faults to plant; without any, all are.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

import intarsia
from intarsia.cli.output import progress, results
from intarsia.sim.suite.forks import each

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "hw"
HEAVY = ("amaranth.sim", "intarsia.emu.execute", "intarsia.arch.timing", "hypothesis", "numpy")
"""What tests import, for seconds, and no fault changes."""
FAILED = 1
"""Pytest's exit code where a test has failed."""
LIMIT = 600
"""Seconds. A test that a fault makes last so long has noticed it."""
TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Fault:
    """In `file` of hw, `old`, which stands there once, becomes `new`; `test`, of tests/hw, must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str

    def plant(self, root: Path) -> None:
        """Changes the source below `root`; ValueError if it is not as it should be."""
        path = root / "hw" / self.file
        source = path.read_text()
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: the text is {source.count(self.old)} times in {self.file}, not once"
            )
        path.write_text(source.replace(self.old, self.new))


def faults() -> list[Fault]:
    """All of the table."""
    return [Fault(**entry) for entry in tomllib.loads(TABLE.read_text())["fault"]]


def played(fault: Fault, write: int) -> int:
    """Pytest's exit code. Nothing of `hw` is imported before this, nor what imports it."""
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        shutil.copytree(ROOT / "hw", Path(name) / "hw", ignore=shutil.ignore_patterns("__pycache__"))
        fault.plant(Path(name))
        sys.dont_write_bytecode = True
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they would have to be imported by pytest
        intarsia.__path__.insert(0, name)
        planted = Path(importlib.import_module("intarsia.hw").__file__ or "")
        assert planted.is_relative_to(name)
        return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", str(TESTS / fault.test)]))


def main(wanted: list[str]) -> int:
    chosen = [fault for fault in faults() if not wanted or fault.name in wanted]
    for name in HEAVY:
        importlib.import_module(name)
    left = []
    with progress() as bar:
        task = bar.add_task("planting", total=len(chosen))
        for fault, code, _ in each(chosen, played, os.cpu_count() or 1, LIMIT):
            bar.update(task, advance=1)
            if code not in (FAILED, -signal.SIGALRM):
                left.append(fault)
                results.print(f"survived ({code}): {fault.name} ({fault.file}, {fault.test})")
    results.print(f"{len(chosen) - len(left)} of {len(chosen)} planted faults were found")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
