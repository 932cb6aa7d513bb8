"""Without a terminal a command that takes long says what is done of what."""

import time

import pytest
from rich.console import Console

from intarsia.cli.output import progress


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr("intarsia.cli.lines.EVERY", 0.05)
    monkeypatch.setattr(
        "intarsia.cli.output.console", Console(stderr=True, force_terminal=False, width=200)
    )


def test_every_task_that_is_not_done(capsys):
    with progress() as bar:
        first = bar.add_task("counting", total=3, completed=1)
        time.sleep(0.2)
        bar.update(first, completed=3)
        bar.add_task("compiling", total=None)
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "intarsia: counting: 1 of 3, 0 s"
    assert lines[-1] == "intarsia: compiling, 0 s"
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_with_json_stdout_stays_clean(capsys):
    with progress(json=True) as bar:
        assert list(bar.track(range(2), description="counting")) == [0, 1]
        time.sleep(0.2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("intarsia: finishing, 0 s\n")
