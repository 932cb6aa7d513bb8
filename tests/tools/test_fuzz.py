"""The random edits: a few of every kind, what is kept of a fault, and going on where a run stopped."""

from __future__ import annotations

import json
import os
import random

import pytest

from tools import fuzz
from tools.fuzzing.edits import dumps, edit_bytes, edit_json, edit_text
from tools.fuzzing.kinds import KINDS
from tools.fuzzing.pool import Found, Worker


def test_a_few_cases_of_every_kind(tmp_path, capsys):
    place = tmp_path / "fuzz", tmp_path / "fuzz.json"
    assert fuzz.main([str(len(KINDS))], *place) == 0
    assert fuzz.main(["2", "machine", "config"], *place) == 0
    done = json.loads(place[1].read_text())
    assert {name: entry["cases"] for name, entry in done.items()} == {
        name: 1 + (name in ("machine", "config")) for name in KINDS
    }
    assert not place[0].exists()
    assert "machine: 2 cases" in capsys.readouterr().out


def test_an_unknown_kind_is_refused(tmp_path, capsys):
    assert fuzz.main(["3", "song"], tmp_path / "fuzz", tmp_path / "fuzz.json") == 2
    assert capsys.readouterr().err.startswith("unknown kind song: artifact, machine")


def test_a_fault_is_kept(tmp_path, monkeypatch, capsys):
    case = tmp_path / "case.toml"
    case.write_text("name = 1")

    def play(self, kind, seed):
        outcome = "accepted" if seed == "-" else "slow" if seed == "1" else "refused"
        return Found(outcome, "a sentence", "an edit", 3.0, 2**21, case)

    monkeypatch.setattr(Worker, "play", play)
    place = tmp_path / "fuzz", tmp_path / "fuzz.json"
    assert fuzz.main(["3", "machine"], *place) == 1
    assert (place[0] / "machine-1.toml").read_text() == "name = 1"
    text = (place[0] / "machine-1.toml.txt").read_text()
    assert text == "slow after 3.0 s and 2 MiB\nedits: an edit\n\na sentence\n"
    assert json.loads(place[1].read_text())["machine"] == {"cases": 3, "accepted": 0, "kept": [1]}
    assert fuzz.main(["1", "machine"], *place) == 1  # it stays a fault until somebody looks
    assert "4 cases" in capsys.readouterr().out


def test_an_interrupt_is_one_line(tmp_path, monkeypatch, capsys):
    def play(self, kind, seed):
        if seed == "1":
            raise KeyboardInterrupt
        return Found("accepted", "", "", 0.0, 0, tmp_path)

    monkeypatch.setattr(Worker, "play", play)
    fuzz.main(["config"], tmp_path / "fuzz", tmp_path / "fuzz.json")
    found = capsys.readouterr()
    assert found.err == "interrupted: the next call goes on here\n"
    assert found.out.startswith("config: 1 cases")


def test_a_worker_that_ends_is_started_again():
    with Worker() as worker:
        assert worker.play("config", "-").outcome == "accepted"
        first = worker._process
        os.kill(first.pid, 9)
        assert worker.play("config", "0").outcome == "killed"
        assert worker.play("config", "-").outcome == "accepted"
        assert worker._process is not first


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_makes_the_same_edit(seed):
    def edits():
        rng = random.Random(seed)
        value = {"a": [1, {"b": "c"}], "d": None}
        edit_json(value, rng)
        return dumps(value), edit_bytes(b"some bytes", rng), edit_text("a = 1\nb = 2\n", rng, ("x",))

    assert edits() == edits()
