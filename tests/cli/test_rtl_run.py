"""`intarsia rtl-run`: its report, its exit code, its pictures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from intarsia.arch.isa import Unit
from intarsia.cli.main import main
from intarsia.model.data.images import read_image, read_map, write_png
from intarsia.model.integer.artifact import save_artifact
from intarsia.model.networks.vit.config import ViTConfig
from intarsia.model.networks.vit.vit import ViT
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.rtl.network import Inference
from intarsia.sim.rtl.run import Comparison
from intarsia.synth.process import SimulatorError

GOOD = Comparison(1000, 1000, 50, 0, 7, (), {Unit.LOAD: (10, 10)}, np.zeros(0, np.uint8), 0.5, 60.0)
BAD = Comparison(1001, 1000, 50, 2, 7, ("time: late",), {Unit.LOAD: (11, 10)}, GOOD.dram, 0.5, 60.0)


@pytest.fixture
def played(monkeypatch):
    """Inferences without a simulator; returns a function that says how they end."""
    ending = [GOOD]

    def compare_network(graph, machine, window, *, waves, on_progress):
        on_progress("running the RTL", 1, 2)
        if waves:
            ending[0] = replace(ending[0], waves=(waves.first, waves.last))
        labels = np.zeros(graph.config.image, np.uint8)
        labels[:, ::2] = 3
        return Inference(ending[0], {"labels": labels}, {"labels": labels})

    monkeypatch.setattr("intarsia.sim.rtl.network.compare_network", compare_network)
    return lambda comparison: ending.__setitem__(0, comparison)


@pytest.fixture
def files(graph, tmp_path):
    """An artifact and a picture."""
    save_artifact(graph, tmp_path / "model.intarsia")
    write_png(tmp_path / "street.png", np.full((90, 80, 3), 99, np.uint8))
    return "--model", str(tmp_path / "model.intarsia"), "--image", str(tmp_path / "street.png")


def test_json_has_the_public_keys_and_pictures_are_written(capsys, played, files, tmp_path):
    assert main(["rtl-run", *files, "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    report = json.loads(printed.out)
    assert {
        "rtl_cycles": 1000, "emulated_cycles": 1000, "mismatched_values": 0, "compared_values": 50,
        "wall_seconds": 0.5, "cycles_per_second": 2000, "ok": True, "machine": "mobile", "size": None,
    }.items() <= report.items()  # fmt: skip
    assert report["units"] == {"load": {"busy": 10, "emulated_busy": 10}}
    assert report["mask"] == str(tmp_path / "out" / "street_mask.png")
    mask = read_map(report["mask"])
    assert mask.shape == (60, 80)
    assert (mask[:, ::2] == 3).all()
    height, width, _ = read_image(report["overlay"]).shape
    assert height > 60 and width >= 80  # with its legend


def test_a_network_without_labels_writes_no_pictures(capsys, monkeypatch, tmp_path):
    """And an output that is wrong is named."""

    def compare_network(graph, machine, window, *, waves, on_progress):
        right = np.zeros((1, 10), np.int16)
        return Inference(GOOD, {"classes": right + np.eye(1, 10, dtype=np.int16)}, {"classes": right})

    torch.manual_seed(0)
    config = ViTConfig(embed=8, heads=1, layers=1, image=(16, 16), patch=8, classes=10, normalization="vit")
    window = np.full((16, 16, 3), 99, np.uint8)
    save_artifact(quantize(ViT(config).eval(), [window]), tmp_path / "vit.intarsia")
    write_png(tmp_path / "cat.png", window)
    monkeypatch.setattr("intarsia.sim.rtl.network.compare_network", compare_network)
    given = "--model", str(tmp_path / "vit.intarsia"), "--image", str(tmp_path / "cat.png")
    assert main(["rtl-run", *given, "--out", str(tmp_path / "out"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["problems"] == ["1 values of classes differ from those of the integer executor"]
    assert "mask" not in report and not (tmp_path / "out").exists()


def test_waves_and_their_cycles_are_said(capsys, played, files, tmp_path):
    path = str(tmp_path / "w.vcd")
    options = (
        *files,
        "--out",
        str(tmp_path),
        "--waves",
        path,
        "--waves-from",
        "1000",
        "--waves-to",
        "1200",
    )
    assert main(["rtl-run", *options]) == 0
    assert f"waves: {path}, cycles 1,000 to 1,200, 10 ns each" in capsys.readouterr().out
    assert main(["rtl-run", *options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["waves"], report["waves_cycles"]) == (path, [1000, 1200])


def test_a_mismatch_is_1(capsys, played, files, tmp_path):
    played(BAD)
    assert main(["rtl-run", *files, "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "1,001 in the RTL, 1,000 emulated" in printed
    assert "wrong: time: late" in printed
    assert "not equal" in printed


def test_a_size_writes_no_pictures(capsys, played, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["rtl-run", "--size", "mini", "--dataset", "scenes", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["size"], "mask" in report) == ("mini", False)
    assert list(tmp_path.iterdir()) == []


def test_a_simulator_that_fails_is_said(capsys, played, files, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise SimulatorError("the accelerator does not compile: no C++")

    monkeypatch.setattr("intarsia.sim.rtl.network.compare_network", fail)
    assert main(["rtl-run", *files, "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.err == "intarsia: the accelerator does not compile: no C++\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "huge"), "size must be one of"),
        (("--size", "tiny", "--image", "a.png"), "--size does not go with --image"),
        (("--dataset", "scenes"), "--dataset goes with --size"),
        (("--network", "vit"), "--network goes with --size"),
        (("--image", "none.png"), "none.png does not exist"),
        (("--model", "none.intarsia"), "none.intarsia does not exist"),
        (("--machine", "laptop"), "a machine must be a preset"),
        (("--waves", "a.vcd"), "--waves wants its cycles: --waves-from and --waves-to, or --waves-at"),
        (("--waves", "a.vcd", "--waves-to", "5"), "--waves wants its cycles"),
        (("--waves", "a.vcd", "--waves-to", "5", "--waves-from", "7"), "waves must end in cycle 7, where"),
        (("--waves", "a.txt", "--waves-at", "load:0:0:0"), ".fst"),
        (("--waves-at", "load:0:0:0"), "say of which cycles --waves FILE is"),
    ],
)
def test_refusals(capsys, played, arguments, message, tmp_path):
    assert main(["rtl-run", "--out", str(tmp_path), *arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err


def test_the_picture_is_not_replaced(capsys, played, files, tmp_path):
    picture = tmp_path / "street_mask.png"
    write_png(picture, np.zeros((60, 80, 3), np.uint8))
    write_png(tmp_path / "street.png", np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "street_mask_mask.png").symlink_to(picture)
    arguments = [*files[:3], str(picture), "--out", str(tmp_path)]
    assert main(["rtl-run", *arguments]) == 2
    assert "is the picture" in capsys.readouterr().err
