"""`intarsia verify`: its report, its exit code, and one unit really played."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from intarsia.cli.main import main
from intarsia.sim.design import Design
from intarsia.sim.verify import Check, Result

FAULT = "tie: beat 3, lane 0 is 1, not 2 (cycle 9)"
GOOD = Result("argmax", 500, 900, 0, 4, (), (), checks=(Check("values"),), measured=(70, 60))
BAD = Result("expand", 600, 800, 2, 4, ("factor 1",), (FAULT,), checks=(Check("values", 2, (FAULT,)),))


@pytest.fixture
def played(monkeypatch):
    """Results without a simulator, the last unit first; returns what was asked for."""
    asked = []

    def verify_units(names, setup, workers):
        asked.append((names, setup.machine.name, setup.vectors, setup.seed, setup.waves))
        yield from (result for result in (BAD, GOOD) if result.name in names)

    monkeypatch.setattr("intarsia.sim.verify.verify_units", verify_units)
    return asked


def test_json_has_the_public_keys(capsys, played):
    options = ("--vectors", "7", "--seed", "2", "--machine", "mobile", "--json")
    assert main(["verify", "expand", "argmax", *options]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [unit["name"] for unit in report["units"]] == ["argmax", "expand"]
    good, bad = report["units"]
    assert good["coverage"] == 1
    assert {key: bad[key] for key in ("vectors", "cycles", "mismatches", "coverage", "missed_bins")} == {
        "vectors": 600, "cycles": 800, "mismatches": 2, "coverage": 0.75, "missed_bins": ["factor 1"],
    }  # fmt: skip
    assert report["ok"] is False
    assert played == [(["argmax", "expand"], "mobile", 7, 2, None)]


def test_success_is_0(capsys, played):
    assert main(["verify", "argmax"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "4/4 bins" in printed.out


def test_what_is_wrong_is_printed(capsys, played):
    assert main(["verify", "argmax", "expand"]) == 1
    printed = capsys.readouterr().out
    assert "expand: tie: beat 3, lane 0 is 1, not 2 (cycle 9)" in printed
    assert "expand: not covered: factor 1" in printed


def test_waves_go_to_their_folder(capsys, played, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["verify", "argmax", "--waves"]) == 0
    assert not (tmp_path / "waves").exists()  # without a failure there is nothing to keep
    assert played[0][-1] == Path("waves")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("softmax", "argmax"), "a unit must be one of mac_array, "),
        (("argmax", "--machine", "laptop"), "a machine must be a preset"),
        (("--vectors", "0"), "'--vectors'"),
        (("--seed", "-1"), "'--seed'"),
        (("--rtl", "a.v"), "--rtl stands in for one unit, not 13: name it"),
        (("argmax", "--rtl", "none.v"), "none.v does not exist"),
        (("argmax", "--rtl", "pyproject.toml"), "--rtl must be files .v and .sv, not pyproject.toml"),
        (("argmax", "--junit", "a.txt"), "a.txt: the name of a JUnit report must end in .xml"),
        (("argmax", "--simulator", "questa"), "'questa' is not one of"),
    ],
)
def test_refusals(capsys, played, arguments, message):
    assert main(["verify", *arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err
    assert not played


def test_a_unit_in_the_simulator(capsys):
    assert main(["verify", "argmax", "--vectors", "100", "--json"]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    (unit,) = report["units"]
    assert report["ok"] is True
    assert (unit["mismatches"], unit["coverage"], unit["faults"]) == (0, 1, [])
    assert unit["vectors"] > 100


def test_junit(capsys, played, tmp_path):
    path = tmp_path / "new" / "verify.xml"
    assert main(["verify", "argmax", "expand", "--junit", str(path)]) == 1
    root = ElementTree.fromstring(path.read_text())
    assert {key: root.get(key) for key in ("name", "tests", "failures")} == {
        "name": "intarsia.edge", "tests": "2", "failures": "1",
    }  # fmt: skip
    assert root.find(".//failure").get("message") == FAULT


def test_rtl_of_others(capsys, played, monkeypatch, tmp_path):
    (tmp_path / "mine.v").write_text("")
    asked = []

    def foreign_design(*arguments):
        asked.append(arguments)
        return Design("text", "argmax_bench", ours=False)

    monkeypatch.setattr("intarsia.sim.foreign.foreign_design", foreign_design)
    arguments = ["verify", "argmax", "--rtl", str(tmp_path / "mine.v"), "--rtl", "more.sv"]
    assert main(arguments) == 0
    assert "argmax: commands by themselves take 70 cycles, ours 60" in capsys.readouterr().out
    ((files, name, machine, tool),) = asked
    assert (files, name) == ([tmp_path / "mine.v", Path("more.sv")], "argmax")
    assert (machine.name, tool) == ("edge", "verilator")
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rtl"] == [str(tmp_path / "mine.v"), "more.sv"]
    assert (report["units"][0]["command_cycles"], report["units"][0]["our_command_cycles"]) == (70, 60)
