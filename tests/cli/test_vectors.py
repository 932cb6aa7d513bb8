"""`intarsia vectors`."""

from __future__ import annotations

import json

import pytest

from intarsia.cli.main import main


def test_files_and_report(capsys, tmp_path):
    out = tmp_path / "new" / "folder"
    assert main(["vectors", "argmax", "--out", str(out), "--vectors", "50", "--seed", "3", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    report = json.loads(printed.out)
    (unit,) = report["units"]
    assert (report["machine"], unit["name"]) == ("edge", "argmax")
    names = {"argmax.npz", "argmax.command.hex", "argmax.i.hex", "argmax.o.hex", "argmax_tb.v"}
    assert {str(out / name) for name in names} == set(unit["files"])
    assert {path.name for path in out.iterdir()} == names | {"argmax.json"}
    manifest = json.loads((out / "argmax.json").read_text())
    assert unit["manifest"] == str(out / "argmax.json")
    assert manifest["seed"] == 3
    assert unit["values"] == manifest["values"] >= 50
    assert unit["transactions"] == len(manifest["transactions"])
    assert unit["beats"]["o"] == manifest["streams"]["o"]["beats"]


def test_a_table_for_people(capsys, tmp_path):
    assert main(["vectors", "expand", "--out", str(tmp_path), "--vectors", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert str(tmp_path / "expand.json") in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("softmax",), "a unit must be one of mac_array, "),
        (("argmax", "--machine", "laptop"), "a machine must be a preset"),
        (("argmax", "--vectors", "0"), "'--vectors'"),
        (("argmax", "--seed", "-1"), "'--seed'"),
    ],
)
def test_refusals(capsys, tmp_path, arguments, message):
    assert main(["vectors", *arguments, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err
    assert not (tmp_path / "out").exists()
