"""Benches of real units pass, and fail when a line of the hardware is broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.slow import few

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "tests/hw/small.toml"

BROKEN = {
    "rounds half up": (
        "requantize16",
        "lib/round_shift.py",
        "fraction[1] & (fraction[0] | lost | fraction[2])",
        "fraction[1]",
    ),
    "shifts by one bit more": (
        "residual",
        "lib/round_shift.py",
        "self.p.shift_right(k * COARSE)",
        "self.p.shift_right(k * COARSE + (k == 1))",
    ),
    "counts one row more": (
        "residual",
        "units/residual/core.py",
        "rows_after.eq(self.command.rows - 1)",
        "rows_after.eq(self.command.rows)",
    ),
    "drops back-pressure": (
        "argmax",
        "interfaces/stream.py",
        "with m.If(~self.o.valid | self.o.ready):",
        "with m.If(~self.o.valid | self.o.ready | waiting):",
    ),
    "is a cycle late": (
        "affine",
        "interfaces/stream.py",
        "core.start.eq(commands.o.valid & core.idle)",
        "core.start.eq(commands.o.valid & core.idle & core.result_valid)",
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout whose hardware may be changed."""
    packages = tmp_path / "intarsia"
    packages.mkdir()
    shutil.copy(ROOT / "intarsia" / "__init__.py", packages)
    for package in ("model", "arch", "emu", "synth", "sim", "cli"):
        (packages / package).symlink_to(ROOT / package)
    shutil.copytree(ROOT / "hw", packages / "hw", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def verified(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "intarsia.cli.main",
        "verify",
        *arguments,
        "--machine",
        str(SMALL),
        "--json",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_units_pass(tree: Path) -> None:
    code, report = verified(tree, "argmax", "requantize16", "--vectors", "2000")
    assert code == 0
    assert report["ok"]
    assert [unit["name"] for unit in report["units"]] == ["requantize16", "argmax"]
    for unit in report["units"]:
        assert unit["mismatches"] == 0
        assert unit["vectors"] >= 2000
        assert unit["coverage"] == 1
        assert unit["cycles"] > 1000


@pytest.mark.parametrize("name", few(BROKEN, 2))
def test_a_broken_unit_fails(tree: Path, name: str) -> None:
    unit, file, right, wrong = BROKEN[name]
    path = tree / "intarsia" / "hw" / file
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))
    code, report = verified(tree, unit, "--vectors", "500", "--waves")
    assert code == 1
    assert not report["ok"]
    (entry,) = report["units"]
    assert entry["mismatches"] > 0
    assert f"{unit}.vcd: TOP.{unit}" in entry["faults"][-1]
    assert (tree / entry["waves"]).stat().st_size > 1000
