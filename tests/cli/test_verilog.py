"""`intarsia verilog`: what it writes and what it refuses."""

from __future__ import annotations

import json

import pytest

from intarsia.cli.main import main


def test_a_prefix_is_in_front_of_files_and_modules(capsys, tmp_path):
    arguments = ("verilog", "--unit", "argmax", "--machine", "tests/hw/small.toml", "--json")
    for prefix in ("", "left_"):
        assert main([*arguments, "--out", str(tmp_path), "--prefix", prefix]) == 0
        (unit,) = json.loads(capsys.readouterr().out)["units"]
        assert unit == {"name": "argmax", "file": str(tmp_path / f"{prefix}argmax.v")}
        assert f"\nmodule {prefix}argmax(" in (tmp_path / f"{prefix}argmax.v").read_text()
    assert main([*arguments, "--out", str(tmp_path / "default")]) == 0
    assert (tmp_path / "default" / "argmax.v").read_bytes() == (tmp_path / "argmax.v").read_bytes()


@pytest.mark.parametrize("prefix", ["1_", "a-", "a b", "ü_", "a/../b_", "a$"])
def test_a_prefix_that_is_no_identifier_is_refused(capsys, tmp_path, prefix):
    assert main(["verilog", "--unit", "argmax", "--out", str(tmp_path / "out"), "--prefix", prefix]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("intarsia: --prefix must be letters, digits and _, no digit first")
    assert repr(prefix) in printed.err
    assert not (tmp_path / "out").exists()
