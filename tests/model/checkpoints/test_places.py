"""Which file a folder means."""

from __future__ import annotations

import pytest

from intarsia.model.checkpoints.places import weights_in
from intarsia.model.errors import InputError


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["checkpoint.pth", "variant.yml", "model.safetensors"], "checkpoint.pth"),
        (["config.json", "model.safetensors", "pytorch_model.bin"], "model.safetensors"),
        (["model.safetensors.index.json", "model-1.safetensors"], "model.safetensors.index.json"),
        (["pytorch_model.bin", "tokenizer.json"], "pytorch_model.bin"),
        (["last.ckpt", "hparams.yaml"], "last.ckpt"),
        (["log.txt"], "checkpoint.pth"),
    ],
)
def test_the_usual_file_or_the_only_one(tmp_path, names, taken):
    for name in names:
        (tmp_path / name).touch()
    assert weights_in(tmp_path) == tmp_path / taken


def test_several_are_refused_by_name(tmp_path):
    for name in ("b.pth", "a.pt"):
        (tmp_path / name).touch()
    with pytest.raises(
        InputError, match=r" must hold one file of weights, not 2 \(a\.pt, b\.pth\): name one$"
    ):
        weights_in(tmp_path)


def test_the_cache_of_a_hub(tmp_path):
    blob = tmp_path / "blobs" / "0123"
    blob.parent.mkdir()
    blob.touch()
    for name in ("aa", "bb"):
        (tmp_path / "snapshots" / name).mkdir(parents=True)
        (tmp_path / "snapshots" / name / "model.safetensors").symlink_to(blob)
    with pytest.raises(InputError, match=r" must hold one snapshot, not 2: name one of its folders$"):
        weights_in(tmp_path)
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "main").write_text("bb")
    assert weights_in(tmp_path) == tmp_path / "snapshots/bb/model.safetensors"
