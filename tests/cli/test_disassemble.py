"""`intarsia disassemble`: the text of a program, which assembles to the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from intarsia.arch.isa import Unit, assemble, encode
from intarsia.arch.program import Program
from intarsia.cli.main import main


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "mini.prog"
    options = ("--size", "mini", "--dataset", "scenes", "--machine", "edge", "--image", "64x64")
    assert main(["simulate", *options, "--program", str(path)]) == 0
    return path


def test_the_text_assembles_to_the_same_bytes(program, capsys):
    assert main(["disassemble", str(program)]) == 0
    text = capsys.readouterr().out
    code = b"".join(map(encode, assemble(text)))
    queues = [queue for segment in Program.load(program).segments for queue in segment.queues]
    assert code == b"".join(encode(instruction) for queue in queues for instruction in queue)
    assert program.read_bytes().endswith(code)
    lines = text.splitlines()
    assert lines[0] == "# machine edge: 16 x 16 MACs, 500 MHz"
    assert any(
        line.startswith("matmul x=0x") and line.endswith("  # encoder.patch_embed") for line in lines
    )


def test_json_has_all_of_the_program(program, capsys):
    assert main(["disassemble", str(program), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    loaded = Program.load(program)
    assert [segment["name"] for segment in found["segments"]] == [s.name for s in loaded.segments]
    assert found["regions"][0] == vars(loaded.regions[0])
    assert found["machine"] == loaded.machine.document()
    for segment, shown in zip(loaded.segments, found["segments"], strict=True):
        for unit in Unit:
            entries = shown["queues"][unit.name.lower()]
            assert assemble("\n".join(entry["text"] for entry in entries)) == list(segment.queues[unit])
            labels = [entry["layer"] for entry in entries if entry["layer"] is not None]
            assert labels == list(segment.labels[unit])


def test_names_cannot_break_out_of_their_comment(program, capsys, tmp_path):
    loaded = Program.load(program)
    first = loaded.segments[0]
    labels = tuple(tuple(f"{label}\nmatmul\x1b[2J" for label in part) for part in first.labels)
    odd = replace(first, name="a\nnop\r\x1b[31m[red][/]", labels=labels)
    replace(loaded, segments=(odd, *loaded.segments[1:])).save(tmp_path / "odd.prog")
    assert main(["disassemble", str(tmp_path / "odd.prog")]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "a\\nnop\\r\\x1b[31m[red][/]" in text
    assert len(assemble(text)) == sum(len(queue) for s in loaded.segments for queue in s.queues)


def test_simulate_says_where_the_program_is(program, capsys):
    options = ("--size", "mini", "--dataset", "scenes", "--machine", "edge", "--image", "64x64")
    assert main(["simulate", *options, "--program", str(program), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["program"] == str(program)


@pytest.mark.parametrize("content", [b"", b"INTARPRG", b"# text\n", b"INTARPRG" + bytes(60)])
def test_what_is_no_program_is_refused(content, capsys, tmp_path):
    (tmp_path / "x.prog").write_bytes(content)
    assert main(["disassemble", str(tmp_path / "x.prog")]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n"), "x.prog" in printed.err) == ("", 1, True)
