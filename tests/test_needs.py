"""What a test does when a program that it needs is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("program", "ci", "code", "word"),
    [
        ("no-such-program", None, 0, "1 skipped"),
        ("no-such-program", "false", 0, "1 skipped"),
        ("no-such-program", "true", 1, "no-such-program is not on PATH: install it"),
        ("sh", "true", 0, "1 passed"),
    ],
)
def test_needs(program, ci, code, word, tmp_path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    (tmp_path / "conftest.py").write_text("from tests.needs import require as pytest_runtest_setup\n")
    test = f"import pytest\n@pytest.mark.needs({program!r})\ndef test_it(): pass\n"
    (tmp_path / "test_it.py").write_text(test)
    options = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, word in done.stdout) == (code, True)


def test_ci_asks_for_every_program():
    assert "export CI=true" in (ROOT / ".ci" / "run").read_text()
