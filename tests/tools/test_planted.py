"""The table of planted faults fits the hardware that they are planted into."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.planted import ROOT, Fault, faults


def test_every_fault_can_be_planted(tmp_path: Path) -> None:
    """And its test is there."""
    every = faults()
    assert len({fault.name for fault in every}) == len(every)
    for fault in every:
        copy = tmp_path / "hw" / fault.file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "hw" / fault.file, copy)
        fault.plant(tmp_path)
        compile(copy.read_text(), fault.file, "exec")
        file, _, test = fault.test.partition("::")
        name = test.partition("[")[0]
        assert f"def {name}(" in (ROOT / "tests" / "hw" / file).read_text(), fault.name


def test_a_text_that_is_not_there_once_is_named(tmp_path: Path) -> None:
    (tmp_path / "hw").mkdir()
    (tmp_path / "hw" / "a.py").write_text("x = 1 + 1")
    with pytest.raises(ValueError, match="twice: the text is 2 times in a.py, not once"):
        Fault("twice", "a.py", "1", "2", "test_a.py").plant(tmp_path)
