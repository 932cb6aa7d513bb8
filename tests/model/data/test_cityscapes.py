"""Cityscapes' layout, labels, names and colours."""

import re

import numpy as np
import pytest

from intarsia.model.data import cityscapes
from intarsia.model.data.dataset import open_dataset
from intarsia.model.data.images import write_png
from intarsia.model.errors import InputError


def add(root, city, name, values, kind="labelIds", split="val"):
    height, width = values.shape
    write_png(
        root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png",
        np.full((height, width, 3), 7, np.uint8),
    )
    annotation = root / f"gtFine/{split}/{city}/{name}_gtFine_{kind}.png"
    write_png(annotation, values)
    return annotation


def test_tables():
    assert len(cityscapes.CLASSES) == len(set(cityscapes.CLASSES)) == 19
    assert cityscapes.CLASSES[0] == "road"
    assert cityscapes.CLASSES[13] == "car"
    assert cityscapes.CLASSES[18] == "bicycle"
    assert cityscapes.PALETTE.shape == (19, 3)
    assert cityscapes.PALETTE.dtype == np.uint8
    assert cityscapes.PALETTE[[0, 13, 18]].tolist() == [[128, 64, 128], [0, 0, 142], [119, 11, 32]]


def test_label_ids_become_train_ids(tmp_path):
    add(tmp_path, "ulm", "ulm_0", np.arange(34, dtype=np.uint8).reshape(2, 17))
    (example,) = open_dataset("cityscapes", tmp_path, "val")
    assert example.name == "ulm_0"
    void = 255
    assert example.label.ravel().tolist() == [
        *[void] * 7, 0, 1, void, void, 2, 3, 4, void, void, void, 5, void,
        6, 7, 8, 9, 10, 11, 12, 13, 14, 15, void, void, 16, 17, 18,
    ]  # fmt: skip


def test_train_ids_go_first(tmp_path):
    add(tmp_path, "ulm", "ulm_0", np.full((1, 20), 7, np.uint8))
    train_ids = np.array([[*range(19), 255]], np.uint8)
    add(tmp_path, "ulm", "ulm_0", train_ids, "labelTrainIds")
    (example,) = open_dataset("cityscapes", tmp_path, "val")
    assert (example.label == train_ids).all()


def test_all_cities_in_order(tmp_path):
    for city in ("ulm", "aachen"):
        for k in (1, 0):
            add(tmp_path, city, f"{city}_{k}", np.zeros((2, 2), np.uint8))
    add(tmp_path, "bonn", "bonn_0", np.zeros((2, 2), np.uint8), split="train")
    names = [e.name for e in open_dataset("cityscapes", tmp_path, "val")]
    assert names == ["aachen_0", "aachen_1", "ulm_0", "ulm_1"]


@pytest.mark.parametrize(
    ("kind", "value", "wanted"), [("labelIds", 34, "0 to 33"), ("labelTrainIds", 19, "0 to 18 and 255")]
)
def test_unknown_labels_are_refused(tmp_path, kind, value, wanted):
    path = add(tmp_path, "ulm", "ulm_0", np.full((2, 2), value, np.uint8), kind)
    with pytest.raises(InputError, match=f"^labels of {path} must be {wanted}, not {value}$"):
        open_dataset("cityscapes", tmp_path, "val")[0]


def test_wrong_layouts_are_refused(tmp_path):
    def refused(message):
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            cityscapes.pairs(tmp_path, "val")

    refused(f"{tmp_path}/leftImg8bit/val does not exist")
    (tmp_path / "leftImg8bit/val/ulm").mkdir(parents=True)
    refused(f"{tmp_path}/leftImg8bit/val must hold at least one */*_leftImg8bit.png, not none")
    annotation = add(tmp_path, "ulm", "ulm_0", np.zeros((2, 2), np.uint8))
    annotation.rename(annotation.with_name("other.png"))
    picture = tmp_path / "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png"
    refused(f"{picture} must have an annotation {annotation}, not none")
    (tmp_path / "gtFine").rename(tmp_path / "gtCoarse")
    refused(f"{tmp_path}/gtFine/val does not exist")


def test_suffixes_of_any_case(tmp_path):
    annotation = add(tmp_path, "ulm", "ulm_0", np.full((2, 2), 7, np.uint8))
    annotation.rename(annotation.with_suffix(".PNG"))
    picture = tmp_path / "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png"
    picture.rename(picture.with_suffix(".PNG"))
    (example,) = open_dataset("cityscapes", tmp_path, "val")
    assert example.name == "ulm_0"
    assert (example.label == 0).all()
