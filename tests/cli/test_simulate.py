"""`intarsia simulate` and `intarsia traffic`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intarsia.arch import machine
from intarsia.cli.main import app, main
from intarsia.cli.simulate import simulate
from intarsia.cli.traffic import traffic
from intarsia.model.integer.artifact import save_artifact

SMALL = ("--size", "mini", "--dataset", "scenes", "--image", "64x80", "--machine", "edge")
CONFIG = "[architecture_presets]\nArrayHeight: 32\nArrayWidth: 32\nDataflow: {}\n"


@pytest.fixture(scope="module", autouse=True)
def commands():
    """Both commands, where the command line does not have them yet."""
    known = {command.callback for command in app.registered_commands}
    added = [function for function in (simulate, traffic) if function not in known]
    for function in added:
        app.command()(function)
    yield
    for _ in added:
        app.registered_commands.pop()


def report(capsys, *arguments):
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments):
    assert main([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    return captured.err


def test_json_has_the_public_keys_and_files_are_written(capsys, tmp_path):
    files = ("--trace", tmp_path / "trace.json", "--report", tmp_path / "page.html")
    found = report(capsys, "simulate", *SMALL, *files)
    assert {
        "model", "machine", "cycles", "latency_ms", "fps", "mac_utilization", "traffic_bits", "units",
        "layers", "energy", "roofline", "spills",
    } <= set(found)  # fmt: skip
    assert found["model"]["size"] == "mini"
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["otherData"]["cycles"] == found["cycles"]
    assert f"{found['cycles']:,}" in (tmp_path / "page.html").read_text()
    assert found["csv"] == str(tmp_path / "page.csv")
    assert len((tmp_path / "page.csv").read_text().splitlines()) == 1 + len(found["layers"])
    assert 8 * sum(found["over_time"]["dram_read_bytes"]) == found["traffic_bits"]["dram"]["read"]
    assert found["more_memory"] == []
    assert found["machine"]["parameters"]["array.lanes"] == found["machine"]["lanes"]


def test_the_report_replaces_no_foreign_table(capsys, tmp_path):
    (tmp_path / "page.csv").write_text("Layer, M, N, K,\n")
    message = refused(capsys, "simulate", *SMALL, "--report", tmp_path / "page.html")
    assert "page.csv exists and is not a table of layers" in message
    assert [path.name for path in tmp_path.iterdir()] == ["page.csv"]


def test_the_next_step_of_memory_is_told(capsys, tmp_path):
    text = (Path(machine.__file__).parent / "presets" / "edge.toml").read_text()
    small = text.replace("bank_kib = ", "bank_kib = 2 # ").replace("banks = ", "banks = 64 # ")
    (tmp_path / "small.toml").write_text(small.replace("accumulator_rows = ", "accumulator_rows = 32 # "))
    arguments = ["simulate", "--size", "mini", "--dataset", "scenes", "--image", "128x128"]
    arguments += ["--machine", str(tmp_path / "small.toml")]
    assert main(arguments) == 0
    assert "--report FILE.html says how much more memory" in capsys.readouterr().out
    assert main([*arguments, "--report", str(tmp_path / "page.html")]) == 0
    text = capsys.readouterr().out
    assert "more memory: scratchpad.banks = 64: the next step is at" in text
    assert "nothing up to" in text


def test_tables_for_people(capsys):
    assert main(["simulate", *SMALL]) == 0
    text = capsys.readouterr().out
    for word in ("shiftmax", "layernorm", "frames/s", "fused", "accumulator", "Roofline", "mJ"):
        assert word in text


def test_options_change_the_network(capsys):
    wide = report(capsys, "simulate", *SMALL)
    narrow = report(capsys, "simulate", *SMALL, "--softmax-bits", 8, "--gelu", "shift")
    assert narrow["cycles"] < wide["cycles"]
    assert (narrow["model"]["softmax_bits"], narrow["model"]["gelu"]) == (8, "shift")


def test_an_artifact(capsys, graph, tmp_path):
    save_artifact(graph, tmp_path / "model.intarsia")
    found = report(capsys, "simulate", "--model", tmp_path / "model.intarsia", "--machine", "edge")
    assert found["model"]["image"] == list(graph.config.image)
    assert "own" in refused(capsys, "simulate", "--model", tmp_path / "model.intarsia", "--size", "tiny")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "huge"), "size must be one of"),
        (("--dataset", "pets"), "dataset must be one of"),
        (("--image", "12"), "--image must be HEIGHTxWIDTH"),
        (("--machine", "laptop"), "a machine must be a preset"),
        (("--softmax-bits", "4"), "softmax bits must be 8 or 16"),
        (("--gelu", "erf"), "gelu must be one of"),
        (("--trace", "trace.txt"), "must end in .json"),
        (("--report", "page.txt"), "must end in .html"),
        (("--compat", "zigzag"), "--compat scalesim, not 'zigzag'"),
        (("--topology", "a.csv"), "need --compat scalesim"),
        (("--compat", "scalesim"), "needs --topology FILE.csv and --config"),
        (("--compat", "scalesim", "--topology", "a", "--config", "b", "--size", "tiny"), "with --size"),
    ],
)
def test_simulate_refuses(capsys, arguments, message):
    assert message in refused(capsys, "simulate", *arguments)


def test_scalesim(capsys, tmp_path):
    (tmp_path / "t.csv").write_text("Layer, M, N, K,\nqkv, 1025, 576, 192,\nscores, 1025, 1025, 64,\n")
    folds = {"ws": (6 * 18 * 1119 - 1, 2 * 33 * 1119 - 1), "os": (33 * 18 * 254 - 1, 33 * 33 * 126 - 1)}
    for dataflow, cycles in folds.items():
        (tmp_path / "c.cfg").write_text(CONFIG.format(dataflow))
        files = ("--topology", tmp_path / "t.csv", "--config", tmp_path / "c.cfg")
        found = report(capsys, "simulate", "--compat", "scalesim", *files)
        assert tuple(layer["cycles"] for layer in found["layers"]) == cycles
        assert found["cycles"] == sum(cycles)
    assert main(["simulate", "--compat", "scalesim", *map(str, files)]) == 0
    assert "scores" in capsys.readouterr().out
    (tmp_path / "t.csv").write_text("nonsense")
    assert "must have at least one line after the first" in refused(
        capsys, "simulate", "--compat", "scalesim", *files
    )


def test_traffic(capsys):
    found = report(capsys, "traffic", "--size", "tiny", "--precision", "fp32")
    (row,) = found["sizes"].values()
    assert {"table7_units", "macs", "operand_bytes", "compulsory_bytes", "fused_bytes", "machine"} <= set(
        row
    )
    assert f"{row['table7_units']:.2f}" == "1.01"
    assert row["machine"]["dram"]["read"] > 0
    assert "table7_units" in found["definitions"]
    assert main(["traffic", "--size", "tiny"]) == 0
    text = capsys.readouterr().out
    for word in ("0.43", "partial sums", "compulsory", "no reuse"):
        assert word in text


def test_traffic_refuses(capsys):
    assert "--size must be one of" in refused(capsys, "traffic", "--size", "mini")
    assert "--precision must be int8 or fp32" in refused(capsys, "traffic", "--precision", "fp16")
    assert "a machine must be a preset" in refused(capsys, "traffic", "--machine", "laptop")
