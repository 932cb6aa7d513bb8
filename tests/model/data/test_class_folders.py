"""Pictures in one folder for each class: their order, their window, and folders that are none."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.model.data.class_folders import ClassFolders, cropped
from intarsia.model.data.images import write_png
from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Classes b (0), c (1) without pictures, n02 (2)."""
    for name, count in (("n02", 3), ("b", 2), ("c", 0)):
        (tmp_path / "val" / name).mkdir(parents=True)
        for i in range(count):
            write_png(tmp_path / "val" / name / f"{i}.png", generate(i, (20, 30)).image)
    (tmp_path / "val" / ".hidden").mkdir()
    (tmp_path / "val" / "b" / "list.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize("inner", ["", "val"])
def test_classes_are_numbered_by_the_names_of_their_folders(folder, inner):
    found = ClassFolders(folder / inner)
    assert found.classes == ("b", "c", "n02")
    assert [(one.path.name, one.label) for one in found] == [
        ("0.png", 0), ("1.png", 0), ("0.png", 2), ("1.png", 2), ("2.png", 2)
    ]  # fmt: skip
    assert all(one.image.shape == (20, 30, 3) for one in found)


def test_a_count_is_spread_over_all(folder):
    assert [one.label for one in ClassFolders(folder, 2)] == [0, 2]


@pytest.mark.parametrize("count", [0, 6])
def test_a_wrong_count_is_refused(folder, count):
    with pytest.raises(InputError, match=rf"number of pictures must be in 1\.\.5 for .*, not {count}$"):
        ClassFolders(folder, count)


def test_what_is_no_folder_of_folders_is_refused(folder):
    with pytest.raises(InputError, match="must be a folder with a folder for each class, but is none"):
        ClassFolders(folder / "nothing")
    with pytest.raises(InputError, match="must hold a folder of PNG or JPEG pictures for each class"):
        ClassFolders(folder / "val" / "c")


def test_a_picture_of_the_window_is_left_alone():
    image = generate(1, (32, 48)).image
    assert cropped(image, (32, 48)) is image


@pytest.mark.parametrize(("size", "window"), [((400, 300), (224, 224)), ((30, 500), (56, 28))])
def test_the_middle_of_a_larger_picture_is_taken(size, window):
    assert cropped(generate(1, size).image, window).shape == (*window, 3)
    # Eight sevenths of the window: a frame of a sixteenth of the picture is cut off.
    framed = np.full((256, 256, 3), 200, np.uint8)
    framed[16:-16, 16:-16] = 10
    assert (cropped(framed, (224, 224)) == 10).all()
