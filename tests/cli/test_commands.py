"""The commands that need a model, end to end on small ones."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from intarsia.cli.main import main
from intarsia.model.data.images import overlay, read_image, read_map, write_png
from intarsia.model.data.legend import legend
from intarsia.model.data.scenes import generate
from intarsia.model.integer.artifact import load_artifact, save_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.networks.segmenter.checkpoint import load_checkpoint, save_checkpoint
from intarsia.model.quantize.ptq import quantize
from tests.conftest import SIZE, random_segmenter


@pytest.fixture
def artifact(graph, tmp_path):
    save_artifact(graph, tmp_path / "model.intarsia")
    return tmp_path / "model.intarsia"


@pytest.fixture
def checkpoint(tmp_path):
    save_checkpoint(random_segmenter(dataset="scenes"), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


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


def test_run_writes_mask_and_overlay(capsys, artifact, picture, tmp_path):
    write_png(tmp_path / "a.png", picture)
    found = report(capsys, "run", tmp_path / "a.png", "--model", artifact, "--out", tmp_path / "out")
    (entry,) = found["images"]
    assert entry["windows"] == 1
    assert entry["cycles"] == found["cycles"] > 0
    assert {"model", "machine", "fps", "units", "layers", "traffic_bits", "mac_utilization"} <= set(found)
    labels = Executor(load_artifact(artifact)).run(picture)
    np.testing.assert_array_equal(read_map(entry["mask"]), labels)
    # The picture, tinted, and under it the legend.
    names, palette = legend(load_artifact(artifact).config)
    height, width, _ = picture.shape
    shown = read_image(entry["overlay"])
    np.testing.assert_array_equal(shown[:height, :width], overlay(picture, labels, palette))
    assert len(shown) > height
    with Image.open(entry["mask"]) as mask:
        listed = [line.split(" ", 3) for line in mask.info["Legend"].splitlines()]
    assert [(int(i), name) for i, _, _, name in listed] == [
        (names.index(name), name) for name in sorted(entry["classes"], key=lambda n: -entry["classes"][n])
    ]
    for index, colour, _, _ in listed:
        assert bytes.fromhex(colour[1:]) == palette[int(index)].tobytes()
    assert sum(entry["classes"].values()) == pytest.approx(1, abs=1e-4)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_mask.png", "a_overlay.png"]


def test_run_never_replaces_a_picture(capsys, artifact, picture, tmp_path):
    for name in ("a.png", "a_mask.png", "b.png"):
        write_png(tmp_path / name, picture)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a_overlay.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "b_overlay.png")
    (tmp_path / "b.png").rename(tmp_path / "b_overlay.png")
    write_png(tmp_path / "b.png", picture)
    model = ("--model", artifact)
    for names, target in ((("a.png", "a_mask.png"), "a_mask"), (("b.png", "link.png"), "b_overlay")):
        paths = [tmp_path / name for name in names]
        before = paths[1].read_bytes()
        message = refused(capsys, "run", *paths, *model, "--out", tmp_path / "other" / "..")
        assert f"{target}.png is one of the pictures" in message
        assert paths[1].read_bytes() == before
    assert not (tmp_path / "a_overlay.png").exists()
    # A link among the targets is replaced itself, not what it points to.
    before = (tmp_path / "a.png").read_bytes()
    report(capsys, "run", tmp_path / "a.png", *model, "--out", tmp_path / "other")
    assert (tmp_path / "a.png").read_bytes() == before


def test_run_of_many_classes(capsys, tmp_path, picture):
    graph = quantize(random_segmenter(classes=300), [picture])
    save_artifact(graph, tmp_path / "many.intarsia")
    write_png(tmp_path / "same.png", picture)
    write_png(tmp_path / "large.png", generate(3, (90, 95)).image)
    out = tmp_path / "out"
    report(
        capsys, "run", tmp_path / "same.png", tmp_path / "large.png",
        "--model", tmp_path / "many.intarsia", "--out", out,
    )  # fmt: skip
    with Image.open(out / "same_mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), Executor(graph).run(picture))
    height, width, _ = read_image(out / "large_overlay.png").shape
    assert height > 90 and width >= 95


def test_run_prints_names_as_they_are(capsys, artifact, picture, tmp_path):
    path = tmp_path / "x[" / "my pic [final] :a:.png"  # x[/my...] would close a style
    write_png(path, picture)
    out = tmp_path / "[bold]out"
    assert main(["run", str(path), "--model", str(artifact), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert str(path) in printed
    assert f"{out}/my pic [final] :a:_mask.png" in printed


def test_outputs_are_looked_at_before_the_work(
    capsys, artifact, checkpoint, picture, tmp_path, monkeypatch
):
    def work(*_):
        raise AssertionError

    write_png(tmp_path / "a.png", picture)
    (tmp_path / "out" / "a_mask.png").mkdir(parents=True)
    monkeypatch.setattr("intarsia.model.integer.executor.Executor.run", work)
    monkeypatch.setattr("intarsia.model.quantize.ptq.calibrate", work)
    monkeypatch.setattr("intarsia.model.export.export_onnx", work)
    model = ("--model", artifact)
    for arguments, message in {
        (
            "run",
            tmp_path / "a.png",
            *model,
            "--out",
            tmp_path / "out",
        ): "a_mask.png: it must be a file, not a folder",
        ("evaluate", *model, "--confusion", tmp_path / "c.bmp"): "must end in .png, .svg, .pdf",
        ("evaluate", *model, "--confusion", tmp_path / "a.png" / "c.png"): "cannot write to folder",
        ("export", *model, "--onnx", tmp_path / "out"): "it must be a file, not a folder",
        (
            "quantize",
            "--checkpoint",
            checkpoint,
            "--out",
            tmp_path / "a.png" / "x.intarsia",
        ): "cannot write",
    }.items():
        assert message in refused(capsys, *arguments)
    assert not (tmp_path / "out" / "a_overlay.png").exists()


def test_train_takes_its_sizes_from_the_checkpoint(capsys, checkpoint, tmp_path):
    start = ("train", "--checkpoint", checkpoint, "--batch", 1, "--steps", 1, "--out", tmp_path / "out")
    assert "must have embed 128, heads 2, layers 4 to be of size mini" in refused(
        capsys, *start, "--size", "mini"
    )
    assert "patch must be 8, as in " in refused(capsys, *start, "--patch", 16)
    assert not (tmp_path / "out").exists()
    found = report(capsys, *start, "--patch", 8)
    assert load_checkpoint(found["model"]).config.embed == 64


def test_run_takes_pictures_of_other_sizes_and_kinds(capsys, artifact, tmp_path):
    large = generate(3, (130, 95)).image
    Image.fromarray(large).save(tmp_path / "large.jpg")
    Image.fromarray(large).convert("L").save(tmp_path / "grey.png")
    Image.fromarray(large).convert("RGBA").save(tmp_path / "alpha.png")
    pictures = [tmp_path / name for name in ("large.jpg", "grey.png", "alpha.png")]
    found = report(capsys, "run", *pictures, "--model", artifact, "--out", tmp_path / "out")
    for entry in found["images"]:
        assert read_map(entry["mask"]).shape == (130, 95)


def test_run_refuses(capsys, artifact, checkpoint, picture, tmp_path):
    good = tmp_path / "good.png"
    write_png(good, picture)
    out = tmp_path / "out"

    def message(*arguments):
        return refused(capsys, "run", *arguments, "--out", out)

    assert "none.png does not exist" in message(good, tmp_path / "none.png", "--model", artifact)
    (tmp_path / "text.png").write_text("no picture")
    assert "text.png must be a whole PNG or JPEG picture" in message(
        tmp_path / "text.png", "--model", artifact
    )
    write_png(tmp_path / "small.png", np.zeros((7, 30, 3), np.uint8))
    small = message(tmp_path / "small.png", "--model", artifact)
    assert "small.png: the picture must have at least 8 x 8 pixels, not 7 x 30" in small
    write_png(tmp_path / "strip.png", np.zeros((8, 60000, 3), np.uint8))
    write_png(tmp_path / "strip2.png", np.zeros((8, 600000, 3), np.uint8))
    strip = message(good, tmp_path / "strip.png", tmp_path / "strip2.png", "--model", artifact)
    assert "strip2.png: a picture of 8 x 600000 pixels (height x width) must be scaled to at most" in strip
    assert "called good" in message(good, good, "--model", artifact)
    assert ".intarsia" in message(good, "--model", checkpoint)
    assert not out.exists()
    (tmp_path / "file").write_text("")
    assert "file" in refused(capsys, "run", good, "--model", artifact, "--out", tmp_path / "file" / "x")


def test_quantize_evaluate_export(capsys, checkpoint, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        write_png(folder / f"{seed}.png", generate(seed, (70, 120)).image)
    out = tmp_path / "new.intarsia"
    options = ("--gelu", "shift", "--softmax-bits", 8, "--reciprocal-bits", 40, "--multiplier-bits", 20)
    found = report(
        capsys, "quantize", "--checkpoint", checkpoint, "--dataset", "scenes", "--calibrate", folder,
        "--images", 2, *options, "--out", out,
    )  # fmt: skip
    assert found["images"] == 2
    wanted = {"gelu": "shift", "softmax_bits": 8, "multiplier_bits": 20, "reciprocal_bits": 40}
    assert found["options"] == wanted
    assert load_artifact(out).to_dict()["options"] == wanted

    matrix = tmp_path / "confusion.png"
    found = report(capsys, "evaluate", "--model", out, "--images", 3, "--confusion", matrix)
    assert found["model"] == "integer"
    counts = np.array(found["confusion"])
    assert counts.sum() == 3 * SIZE[0] * SIZE[1]
    assert read_image(matrix).shape[0] > 100
    hits = np.diag(counts)
    union = counts.sum(0) + counts.sum(1) - hits
    assert found["miou"] == pytest.approx((hits[union > 0] / union[union > 0]).mean())
    assert report(capsys, "evaluate", "--model", checkpoint, "--images", 1)["model"] == "fp32"

    onnx = tmp_path / "new.onnx"
    found = report(capsys, "export", "--model", out, "--onnx", onnx)
    assert found["ok"]
    assert found["compared_values"] == SIZE[0] * SIZE[1]
    assert onnx.exists()


def test_quantize_refuses(capsys, checkpoint, tmp_path):
    def message(*arguments):
        return refused(capsys, "quantize", "--checkpoint", checkpoint, *arguments)

    out = ("--out", tmp_path / "x.intarsia")
    (tmp_path / "empty").mkdir()
    assert "must hold 1 PNG or JPEG pictures or more, not 0" in message(
        "--calibrate", tmp_path / "empty", *out
    )
    assert "does not exist" in message("--calibrate", tmp_path / "none", *out)
    assert "gelu must be one of" in message("--gelu", "relu", *out)
    assert "must have embed 192, heads 3, layers 12 to be of size tiny" in message("--size", "tiny", *out)
    assert "must end in .intarsia" in message("--out", tmp_path / "x.bin")
    assert "HEIGHTxWIDTH" in message("--image", "512", *out)
    assert not list(tmp_path.glob("x.*"))


def test_train_resumes(capsys, tmp_path, monkeypatch):
    options = ("--image", "32x48", "--batch", 2, "--steps", 6)
    whole = report(capsys, "train", *options, "--out", tmp_path / "whole")
    assert whole["steps"] == 6

    import intarsia.model.train

    original, calls = intarsia.model.train.Trainer._batch, []

    def stop(self, step):
        calls.append(step)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(self, step)

    monkeypatch.setattr(intarsia.model.train.Trainer, "_batch", stop)
    assert main([str(a) for a in ("train", *options, "--out", tmp_path / "parts")]) == 130
    monkeypatch.undo()
    capsys.readouterr()
    parts = report(capsys, "train", *options, "--out", tmp_path / "parts")
    assert parts["resumed_at"] == 3
    assert parts["final_loss"] == pytest.approx(whole["final_loss"], rel=1e-4)
    assert parts["final_loss_steps"] == 1  # as in the curve, a fiftieth of the steps
    assert (tmp_path / "parts" / "loss.png").exists()
    found = report(capsys, "evaluate", "--model", tmp_path / "parts" / "model.safetensors", "--images", 1)
    assert found["images"] == 1

    again = refused(capsys, "train", *options, "--seed", 3, "--out", tmp_path / "parts")
    assert "with which " in again
    (tmp_path / "parts" / "train.state").write_bytes(b"damaged")
    again = refused(capsys, "train", *options, "--out", tmp_path / "parts")
    assert "is not a training state" in again


def test_the_default_model_is_the_shipped_one(capsys, tmp_path):
    write_png(tmp_path / "a.png", generate(5).image)
    found = report(capsys, "run", tmp_path / "a.png", "--out", tmp_path)
    labels = read_map(found["images"][0]["mask"])
    assert (labels == generate(5).label).mean() > 0.85


def test_a_folder_that_cannot_be_written(capsys, artifact, picture, tmp_path):
    write_png(tmp_path / "a.png", picture)
    shutil.copy(tmp_path / "a.png", tmp_path / "taken")
    message = refused(capsys, "run", tmp_path / "a.png", "--model", artifact, "--out", tmp_path / "taken")
    assert "cannot write to folder" in message
