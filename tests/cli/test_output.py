"""Reports as JSON, and progress that stays out of their way."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from rich.table import Table

from intarsia.cli.output import console, emit_json, emit_lines, progress, results


def emitted(report, capsys):
    emit_json(report)
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out, parse_constant=pytest.fail)


def test_numbers_text_and_paths(capsys):
    report = {"cycles": 2**60, "ok": True, "fps": 0.1, "path": Path("a/b.png"), "model": {"size": None}}
    assert emitted(report, capsys) == report | {"path": "a/b.png"}


def test_arrays_and_their_scalars(capsys):
    report = {
        "a": np.arange(3, dtype=np.int8),
        "b": np.int64(7),
        "c": np.float64(0.1),
        "d": torch.ones(2),
        7: (1,),
    }
    assert emitted(report, capsys) == {"a": [0, 1, 2], "b": 7, "c": 0.1, "d": [1.0, 1.0], "7": [1]}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")])
def test_what_json_cannot_say_is_null(value, capsys):
    assert emitted({"x": [value], "y": np.array([value, 1.0])}, capsys) == {"x": [None], "y": [None, 1.0]}


def test_other_objects_are_refused():
    wanted = "^a report must hold numbers, text, lists and mappings, not set$"
    with pytest.raises(TypeError, match=wanted):
        emit_json({"x": {1}})


@pytest.mark.parametrize("name", ["x[/a].intarsia", "my pic [final].png", "a:smile:[b]c.png"])
def test_file_names_are_no_markup_and_never_cut_in_a_pipe(name, capsys):
    path = "very/" * 40 + name
    table = Table("picture", title=name)
    table.add_row(path)
    for made in (results, console):
        made.print(table)
        made.print(f"{path}: written, and a sentence follows")
    for text in capsys.readouterr():
        lines = text.splitlines()
        assert lines[0].strip() == name
        assert path in lines[4]
        assert lines[-1] == f"{path}: written, and a sentence follows"


def counted(capsys, **options):
    with progress(**options) as bar:
        assert list(bar.track(range(3), description="counting")) == [0, 1, 2]
    return capsys.readouterr()


def test_progress_is_on_stderr_at_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    at_terminal = Console(stderr=True, force_terminal=True, force_interactive=True)
    monkeypatch.setattr("intarsia.cli.output.console", at_terminal)
    out, err = counted(capsys)
    assert (out, "counting" in err) == ("", True)
    assert counted(capsys, json=True) == ("", "")


def test_progress_is_silent_without_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("intarsia.cli.output.console", Console(stderr=True, force_terminal=False))
    assert counted(capsys) == ("", "")


ODD = {
    "red\x1b[31m": "red\\x1b[31m",
    "two\nlines\r\x85\u2028": "two\\nlines\\r\\x85\\u2028",
    "back\b\x07\x7f\x00\t": "back\\x08\\x07\\x7f\\x00\\t",
    "right\u202eto left\u200b": "right\\u202eto left\\u200b",
    "title\x1b]0;x\x9b2J": "title\\x1b]0;x\\x9b2J",
    "[red][/] :smile: [link=x]": "[red][/] :smile: [link=x]",
    "Straße 日本 é": "Straße 日本 é",
}


@pytest.mark.parametrize(("name", "shown"), ODD.items(), ids=map(ascii, ODD))
def test_what_a_terminal_would_obey_is_shown(name, shown, capsys, monkeypatch):
    table = Table(name, title=name)
    table.add_row(name)
    for made in (results, console):
        made.print(table)
        made.print(f"mask: {name}", soft_wrap=True)
    emit_lines([name])
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[-1] == shown
    assert (lines[-2], err.splitlines()[-1]) == (f"mask: {shown}", f"mask: {shown}")
    assert [line.count(shown) for line in lines] == [1, 0, 1, 0, 1, 0, 1, 1]
    assert all(line.isprintable() for line in [*lines, *err.splitlines()])

    monkeypatch.setenv("TERM", "xterm")
    terminal = type(console)(stderr=True, force_terminal=True, force_interactive=True, width=300)
    monkeypatch.setattr("intarsia.cli.output.console", terminal)
    with progress() as bar:
        bar.add_task(name, total=1)
    assert shown in capsys.readouterr().err
