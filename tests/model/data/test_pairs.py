"""Pictures with annotations: reading, mapping, and refusals."""

import re

import numpy as np
import pytest
from PIL import Image

from intarsia.model.data.images import write_png
from intarsia.model.data.pairs import Pair, existing_folder, found, label_mapping
from intarsia.model.errors import InputError

MAPPING = label_mapping({1: 0, 2: 1, 5: 2}, ignored=(0, 9))
IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def pair(folder, values):
    write_png(folder / "a.png", IMAGE)
    write_png(folder / "label.png", values)
    return Pair("a", folder / "a.png", folder / "label.png", MAPPING)


def test_label_mapping():
    assert MAPPING.dtype == np.int16
    assert MAPPING[:10].tolist() == [255, 0, 1, -1, -1, 2, -1, -1, -1, 255]
    assert (MAPPING[10:] == -1).all()
    assert MAPPING.shape == (256,)


def test_read(tmp_path):
    values = np.zeros((4, 6), np.uint8)
    values[0] = [0, 1, 2, 5, 9, 1]
    example = pair(tmp_path, values).read()
    assert example.name == "a"
    assert (example.image == IMAGE).all()
    assert example.label.dtype == np.uint8
    assert example.label[0].tolist() == [255, 0, 1, 2, 255, 0]
    assert (example.label[1:] == 255).all()


def test_maps_of_16_bits(tmp_path):
    values = np.ones((4, 6), np.uint16)
    values[0] = [0, 1, 2, 5, 9, 1]
    sample = pair(tmp_path, np.zeros((4, 6), np.uint8))
    Image.fromarray(values).save(sample.annotation)
    label = sample.read().label
    assert label.dtype == np.uint8
    assert label[0].tolist() == [255, 0, 1, 2, 255, 0]
    values[2, 3] = 257  # its low byte is a known label
    Image.fromarray(values).save(sample.annotation)
    with pytest.raises(InputError, match="label.png must be 0 to 2 and 5 and 9, not 257"):
        sample.read()


def test_suffixes_of_any_case(tmp_path):
    for name in ("a.jpg", "b.JPG", "c.Jpg", "d.png", ".e.JPG"):
        (tmp_path / name).touch()
    assert [p.name for p in found(tmp_path, "*.jpg")] == ["a.jpg", "b.JPG", "c.Jpg"]


def test_another_size_is_refused(tmp_path):
    message = f"{tmp_path}/label.png must have 4 x 6 pixels as {tmp_path}/a.png has, not 6 x 4"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        pair(tmp_path, np.zeros((6, 4), np.uint8)).read()


def test_unknown_labels_are_refused(tmp_path):
    values = np.ones((4, 6), np.uint8)
    values[3, 5] = 7
    message = f"labels of {tmp_path}/label.png must be 0 to 2 and 5 and 9, not 7"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        pair(tmp_path, values).read()


def test_annotations_of_colours_are_refused(tmp_path):
    one = pair(tmp_path, np.zeros((4, 6), np.uint8))
    Image.fromarray(IMAGE).save(one.annotation)
    with pytest.raises(
        InputError, match=r"label\.png must have one channel of 8 or 16 bits, not pixels of mode RGB"
    ):
        one.read()


def test_found_is_sorted_and_skips_hidden_files(tmp_path):
    for name in ("b.jpg", "a.jpg", "._a.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in found(tmp_path, "*.jpg")] == ["a.jpg", "b.jpg"]
    with pytest.raises(InputError, match=f"^{tmp_path} must hold at least one \\*.png, not none$"):
        found(tmp_path, "*.png")


def test_a_folder_that_the_system_refuses(tmp_path):
    with pytest.raises(InputError, match=r"x cannot be read: File name too long$"):
        existing_folder(tmp_path / ("x" * 300))


def test_existing_folder(tmp_path):
    assert existing_folder(tmp_path) == tmp_path
    with pytest.raises(InputError, match=f"^{tmp_path}/none does not exist$"):
        existing_folder(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"^{tmp_path}/file must be a folder, not a file$"):
        existing_folder(tmp_path / "file")
