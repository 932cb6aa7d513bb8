"""ADE20K's layout, labels, names and colours."""

import re

import numpy as np
import pytest
from PIL import Image

from intarsia.model.data import ade20k
from intarsia.model.data.dataset import open_dataset
from intarsia.model.data.images import write_png
from intarsia.model.errors import InputError


@pytest.fixture
def root(tmp_path):
    base = tmp_path / "ADEChallengeData2016"
    for split, names in (("training", "cab"), ("validation", "de")):
        for k, name in enumerate(names):
            picture = base / "images" / split / f"{name}.jpg"
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (6, 4 + k), (10 * k, 0, 0)).save(picture)
            values = np.full((4 + k, 6), k, np.uint8)
            values[0] = [0, 1, 2, 3, 149, 150]
            write_png(base / "annotations" / split / f"{name}.png", values)
    return tmp_path


def test_tables():
    assert len(ade20k.CLASSES) == len(set(ade20k.CLASSES)) == 150
    assert ade20k.CLASSES[:3] == ("wall", "building", "sky")
    assert ade20k.CLASSES[20] == "car"
    assert ade20k.CLASSES[149] == "flag"
    assert ade20k.PALETTE.shape == (150, 3)
    assert ade20k.PALETTE.dtype == np.uint8
    assert ade20k.PALETTE[[0, 2, 20, 149]].tolist() == [
        [120, 120, 120],
        [6, 230, 230],
        [0, 102, 200],
        [92, 0, 255],
    ]


@pytest.mark.parametrize("inside", [True, False])
def test_examples(root, inside):
    data = open_dataset("ade20k", root / "ADEChallengeData2016" if inside else root, "train")
    assert data.classes == ade20k.CLASSES
    assert [e.name for e in data] == ["a", "b", "c"]
    example = data[1]  # b, the third that was written
    assert example.image.shape == (6, 6, 3)
    assert example.label[0].tolist() == [255, 0, 1, 2, 148, 149]
    assert (example.label[1:] == 1).all()
    assert [e.name for e in open_dataset("ade20k", str(root), "val")] == ["d", "e"]


def test_label_151_is_refused(root):
    path = root / "ADEChallengeData2016/annotations/validation/d.png"
    write_png(path, np.full((4, 6), 151, np.uint8))
    data = open_dataset("ade20k", root, "val")
    with pytest.raises(InputError, match=f"^labels of {path} must be 0 to 150, not 151$"):
        data[0]
    assert data[1].name == "e"


def test_wrong_layouts_are_refused(root):
    base = root / "ADEChallengeData2016"

    def refused(message):
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            ade20k.pairs(root, "train")

    (base / "annotations/training/b.png").unlink()
    refused(
        f"{base}/images/training/b.jpg must have an annotation {base}/annotations/training/b.png, not none"
    )
    (base / "annotations").rename(base / "labels")
    refused(f"{base}/annotations/training does not exist")
    for name in "abc":
        (base / f"images/training/{name}.jpg").unlink()
    refused(f"{base}/images/training must hold at least one *.jpg, not none")
    base.rename(root / "other")
    refused(f"{root}/images/training does not exist")
    with pytest.raises(InputError, match=f"^{root}/none does not exist$"):
        ade20k.pairs(root / "none", "train")


def test_suffixes_of_any_case(root):
    base = root / "ADEChallengeData2016"
    (base / "images/validation/d.jpg").rename(base / "images/validation/d.JPG")
    (base / "annotations/validation/e.png").rename(base / "annotations/validation/e.PNG")
    assert [e.name for e in open_dataset("ade20k", root, "val")] == ["d", "e"]


@pytest.mark.parametrize(
    "name",
    ["index_ade20k.mat", "images/ADE/training/urban/street/a_seg.png", "images/training/a/abbey/a_seg.png"],
)
def test_the_full_ade20k_is_named(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(InputError, match="150 classes .ADEChallengeData2016, .* not the full ADE20K"):
        open_dataset("ade20k", tmp_path, "train")
