"""Calls that a newcomer makes by mistake: one sentence, exit code 2, nothing on stdout or on the disk."""

from __future__ import annotations

import pytest

from intarsia.cli.main import main

LONG = "x" * 300
ESCAPE = "red\x1b[31m\nnext\u202e.png"
COMMANDS = (
    "run", "quantize", "simulate", "traffic", "disassemble", "verify", "rtl-run", "vectors", "verilog",
    "train", "evaluate", "export",
)  # fmt: skip
WRITING = (
    ("simulate", "--report"), ("simulate", "--trace"), ("simulate", "--program"), ("export", "--onnx"),
    ("quantize", "--out"), ("evaluate", "--images", "1", "--confusion"), ("verify", "argmax", "--junit"),
    ("rtl-run", "--waves"),
)  # fmt: skip
TARGETS = (
    "", ".", "..", "/", "nothing/", "folder", "README.md", "noext", "text.json", "text.html", "text.onnx",
    "text.intarsia", "text.png", "text.prog", "file/x.html", LONG + ".html", "/proc/x.html", "/dev/null",
)  # fmt: skip
FOLDERS = (
    ("run", "picture.png", "--out"), ("train", "--out"), ("vectors", "argmax", "--out"),
    ("verilog", "--unit", "argmax", "--out"), ("rtl-run", "--image", "picture.png", "--out"),
)  # fmt: skip
CHOICES = ("--size", "--gelu", "--dataset", "--image", "--softmax-bits", "--machine", "--model")
FOREIGN = (
    ("verilog", "--unit", "argmax", "--out", "foreign"),
    ("vectors", "argmax", "--out", "foreign"),
    ("train", "--steps", "1", "--out", "foreign"),
    ("run", "picture.png", "--out", "foreign"),
    ("rtl-run", "--image", "picture.png", "--out", "foreign"),
    ("simulate", "--report", "foreign/page.html"),
)
CALLS = (
    *((command, *rest) for command in COMMANDS for rest in (("--nope",), ("--json=3",))),
    *(((command,)) for command in ("run", "disassemble", "vectors", "verilog", "export", "nope", "Run")),
    *((*option, target) for option in WRITING for target in TARGETS),
    *((*option, target) for option in FOLDERS for target in ("file", "file/x", LONG, "/proc/x")),
    *FOREIGN,
    *(("simulate", option, value) for option in CHOICES for value in ("", "x", LONG, ESCAPE)),
    *(("disassemble", name) for name in ("folder", "file", "README.md", LONG, ESCAPE, "nothing")),
    *(("run", name) for name in ("folder", "file", "README.md", LONG, ESCAPE, "nothing")),
    *(("traffic", "--machine", name) for name in ("folder", "file", "README.md", LONG, ESCAPE, "nothing")),
    ("rtl-run", "--size", "tiny", "--dataset", ""),
    ("train", "--size", "", "--out", "new"),
    ("train", "--patch", "0", "--out", "new"),
    ("evaluate", "--images", "999999999999999999999"),
    ("train", "--steps", "999999999999999999999", "--out", "new"),
    ("train", "--batch", "999999999999999999999", "--out", "new"),
)  # fmt: skip


def snapshot(folder):
    return {
        path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    import numpy as np

    from intarsia.model.data.images import write_png

    folder = tmp_path_factory.mktemp("odd")
    (folder / "folder").mkdir()
    (folder / "file").touch()
    for name in ("README.md", "noext", *(target for target in TARGETS if target.startswith("text."))):
        (folder / name).write_text("# Words of mine [red] [/]\n")
    write_png(folder / "picture.png", np.full((64, 64, 3), 99, np.uint8))
    (folder / "foreign").mkdir()
    names = ("argmax.v", "argmax_tb.v", "argmax.json", "argmax.npz", "model.safetensors", "loss.png")
    for name in (*names, "train.state", "picture_mask.png", "picture_overlay.png", "page.csv"):
        (folder / "foreign" / name).write_text("mine\n")
    return folder


@pytest.mark.parametrize(
    "arguments", CALLS, ids=lambda call: " ".join(call)[:50].encode("unicode_escape").decode()
)
def test_is_one_sentence(arguments, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = snapshot(place)
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("intarsia: ")
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()
    assert snapshot(place) == before
