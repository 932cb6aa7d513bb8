"""Commands on networks that are no Segmenters: listed, emulated, run, evaluated, exported."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from intarsia.cli.main import main
from intarsia.model.data.class_folders import cropped
from intarsia.model.data.images import normalize, write_png
from intarsia.model.data.scenes import generate
from intarsia.model.integer.artifact import load_artifact, save_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.networks.checkpoint import load_model
from intarsia.model.quantize.ptq import quantize
from tests.model.checkpoints import vits
from tests.model.networks.variants import model_of


def report(capsys, *arguments, code=0):
    """The JSON on stdout of one run."""
    assert main([*map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments):
    """The one sentence on stderr of a run that exits with 2."""
    assert main([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture(scope="module")
def graphs():
    found = {}
    for variant in ("vit", "dinov2"):
        model = model_of(variant)
        found[variant] = quantize(model, [generate(1, model.config.image).image])
    return found


@pytest.fixture
def artifacts(graphs, tmp_path):
    for name, graph in graphs.items():
        save_artifact(graph, tmp_path / f"{name}.intarsia")
    return {name: tmp_path / f"{name}.intarsia" for name in graphs}


@pytest.fixture
def folder(tmp_path):
    """Ten classes of two pictures, one of the window's size, one larger."""
    for label in range(10):
        (tmp_path / "data" / f"n{label:02}").mkdir(parents=True)
        for i, size in enumerate(((22, 27), (60, 90))):
            image = generate(2 * label + i, size).image
            write_png(tmp_path / "data" / f"n{label:02}" / f"{i}.png", image)
    return tmp_path / "data"


def test_all_networks_are_listed(capsys):
    found = {entry["name"]: entry for entry in report(capsys, "networks")["networks"]}
    assert found.keys() >= {"segmenter", "segmenter-linear", "vit", "deit", "dinov2"}
    assert found["vit"]["task"] == "classification"
    assert found["dinov2"]["sizes"]["small"] == {
        "embed": 384, "heads": 6, "layers": 12, "patch": 14, "image": [518, 518]
    }  # fmt: skip
    assert "timm's ViT" in found["vit"]["checkpoints"]
    assert "the published Segmenter" in found["segmenter"]["checkpoints"]
    assert "the published Segmenter" not in found["vit"]["checkpoints"]
    assert "SwiGLU" in found["dinov2"]["refused"]["giant"]
    assert main(["networks"]) == 0
    assert "distilled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "network", "task", "tokens"),
    [
        (["--network", "vit", "--image", "64x50"], "vit", "classification", 1 + 4 * 4),
        (
            ["--network", "deit", "--size", "tiny-distilled", "--image", "32x32"],
            "deit",
            "classification",
            6,
        ),
        (
            ["--network", "dinov2", "--size", "small-registers", "--image", "30x44"],
            "dinov2",
            "features",
            17,
        ),
        (["--network", "segmenter-linear", "--image", "64x64"], "segmenter-linear", "segmentation", 17),
        (["--size", "tiny", "--image", "64x64"], "segmenter", "segmentation", 17),
    ],
)
def test_a_network_is_simulated_without_weights(capsys, arguments, network, task, tokens):
    found = report(capsys, "simulate", *arguments)
    assert found["model"]["network"] == network
    assert found["model"]["task"] == task
    assert found["model"]["tokens"] == tokens
    assert found["cycles"] > 0
    assert 0 < found["mac_utilization"] <= 1


def test_simulate_refuses_what_is_not_there(capsys, artifacts):
    assert "size must be one of small" in refused(
        capsys, "simulate", "--network", "dinov2", "--size", "giant"
    )
    assert "network must be one of segmenter" in refused(capsys, "simulate", "--network", "bert")
    for command in (["simulate"], ["rtl-run", "--size", "mini"]):
        assert "network must be one of segmenter" in refused(capsys, *command, "--network", "")
    wrong = refused(capsys, "simulate", "--network", "vit", "--model", artifacts["vit"])
    assert "--network" in wrong


def test_a_classifier_tells_its_classes(capsys, artifacts, graphs, folder):
    path = folder / "n03" / "1.png"
    found = report(capsys, "run", path, "--model", artifacts["vit"])
    (entry,) = found["images"]
    scores = Executor(graphs["vit"]).outputs(cropped(generate(7, (60, 90)).image, (22, 27)))["classes"][0]
    assert next(iter(entry["classes"])) == f"class {scores.argmax()}"
    assert list(entry["scores"].values()) == sorted(scores.tolist(), reverse=True)[:5]
    assert entry["cycles"] == found["cycles"] > 0
    assert main(["run", str(path), "--model", str(artifacts["vit"])]) == 0
    assert f"class {scores.argmax()}" in capsys.readouterr().out


def test_a_classifier_is_evaluated_on_folders_of_classes(capsys, artifacts, graphs, folder):
    found = report(capsys, "evaluate", "--model", artifacts["vit"], "--data", folder)
    executor, hits = Executor(graphs["vit"]), np.zeros(20, bool)
    for i in range(20):
        image = cropped(generate(i, ((22, 27), (60, 90))[i % 2]).image, (22, 27))
        hits[i] = executor.outputs(image)["classes"][0].argmax() == i // 2
    assert (found["images"], found["classes"], found["dataset"]) == (20, 10, "imagenet")
    assert found["top1"] == hits.mean() <= found["top5"]
    assert (
        report(capsys, "evaluate", "--model", artifacts["vit"], "--data", folder, "--images", 5)["images"]
        == 5
    )
    assert main(["evaluate", "--model", str(artifacts["vit"]), "--data", str(folder)]) == 0
    assert "top-1" in capsys.readouterr().out


def test_evaluate_refuses_other_data(capsys, artifacts, folder):
    model = ["--model", artifacts["vit"]]
    assert "must have the 10 classes of the model, not 1 folders" in refused(
        capsys, "evaluate", *model, "--data", folder.parent
    )
    assert "--data must name a folder" in refused(capsys, "evaluate", *model)
    assert "must be one of imagenet, not 'scenes'" in refused(
        capsys, "evaluate", *model, "--dataset", "scenes", "--data", folder
    )
    wrong = refused(capsys, "evaluate", "--model", artifacts["dinov2"])
    assert "must be segmentation or classification, not features (dinov2)" in wrong


def test_features_are_written_as_arrays(capsys, artifacts, graphs, folder, tmp_path):
    arguments = (folder / "n00" / "0.png", "--model", artifacts["dinov2"], "--out", tmp_path / "out")
    found = report(capsys, "run", *arguments)
    (entry,) = found["images"]
    assert (entry["features"], entry["cycles"]) == (
        str(tmp_path / "out" / "0_features.npz"),
        found["cycles"],
    )
    graph, picture = graphs["dinov2"], generate(0, (22, 27)).image
    with np.load(entry["features"]) as arrays:
        for name, wanted in Executor(graph).outputs(picture).items():
            np.testing.assert_array_equal(arrays[name], wanted, strict=True)
            assert arrays[f"{name}_scale"] == graph.tensors[name].scale
    assert main(["run", *map(str, arguments)]) == 0
    assert "0_features.npz" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "values"), [("vit", 10), ("dinov2", (1 + 4) * 24)])
def test_every_network_is_exported(capsys, artifacts, tmp_path, name, values):
    found = report(capsys, "export", "--model", artifacts[name], "--onnx", tmp_path / "m.onnx")
    assert (found["compared_values"], found["mismatched_values"], found["ok"]) == (values, 0, True)


@pytest.mark.parametrize(("head", "network"), [(True, "vit"), (False, "dinov2")])
def test_a_checkpoint_is_quantized_as_what_it_holds(capsys, folder, tmp_path, head, network):
    torch.save(vits.vit(scale=True, head=head), tmp_path / "vit.pth")
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 2}))
    options = ["--checkpoint", tmp_path / "vit.pth", "--normalization", "deit", "--image", "10x14"]
    assert "--calibrate must name a folder" in refused(capsys, "quantize", *options)
    options += ["--calibrate", folder, "--images", 3, "--out", tmp_path / "model.intarsia"]
    found = report(capsys, "quantize", *options)
    assert (found["network"], found["images"]) == (network, 3)
    assert (found["model"]["image"], found["model"]["normalization"]) == ([10, 14], "deit")
    graph = load_artifact(tmp_path / "model.intarsia")
    assert graph.network == network
    with torch.no_grad():
        model = load_model(tmp_path / "vit.pth", normalization="deit", image=(10, 14)).eval()
        image = generate(3, (10, 14)).image
        wanted = model.outputs(normalize(image[None], "deit"))
    for output in graph.outputs:
        integers = Executor(graph).outputs(image)[output.name]
        real = integers * graph.tensors[output.tensor].scale
        assert np.corrcoef(real.flatten(), wanted[output.name][0].numpy().flatten())[0, 1] > 0.9
