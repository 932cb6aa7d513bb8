"""Calibration pictures: which files count, and how they are brought to the window."""

import re

import numpy as np
import pytest

from intarsia.model.data.calibration import calibration_images, centred
from intarsia.model.data.images import write_png
from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.quantize.ptq import calibrate
from tests.conftest import SIZE


def test_folders_and_hidden_files_do_not_count(tmp_path, segmenter):
    picture = generate(1, (70, 90)).image
    for name in ("b.png", "sub/a.PNG", ".hidden.png", ".cache/c.png"):
        write_png(tmp_path / name, picture)
    (tmp_path / "folder.png").mkdir()
    found = calibration_images(segmenter.config, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found.sources] == ["b.png", "sub/a.PNG"]


@pytest.mark.parametrize("shape", [SIZE, (120, 160), (70, 90), (61, 80)])
def test_windows_can_be_written_to(shape, segmenter):
    image = np.zeros((*shape, 3), np.uint8)
    image.flags.writeable = False
    window = centred(image, SIZE)
    assert window.shape == (*SIZE, 3)
    assert window.flags.writeable


def test_read_only_pictures_calibrate(segmenter, picture):
    frozen = picture.copy()
    frozen.flags.writeable = False
    quantized = calibrate(segmenter, [frozen])
    for array in quantized.graph().constants.values():
        array.flags.writeable = False
    quantized.integers(frozen[None])  # a warning would be an error


def test_pictures_that_would_become_too_large_are_named(tmp_path, segmenter):
    path = tmp_path / "strip.png"
    write_png(path, np.zeros((1, 50000, 3), np.uint8))
    images = calibration_images(segmenter.config, tmp_path)
    wanted = f"{path}: a picture of 1 x 50000 pixels (height x width) must be scaled to at most "
    with pytest.raises(InputError, match=f"^{re.escape(wanted)}"):
        images[0]


def test_a_name_that_is_too_long_is_refused(tmp_path, segmenter):
    folder = tmp_path / ("x" * 300)
    with pytest.raises(InputError, match=r"x cannot be read: File name too long$"):
        calibration_images(segmenter.config, folder)


def colour(path):
    write_png(path, generate(1, (70, 90)).image)


def labels(path):
    write_png(path, np.zeros((70, 90), np.uint8))


def test_the_root_of_a_dataset_gives_pictures_alone(tmp_path, segmenter):
    city, ade = tmp_path / "city", tmp_path / "ade"
    colour(city / "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png")
    labels(city / "gtFine/val/ulm/ulm_0_gtFine_labelIds.png")
    colour(city / "gtFine/val/ulm/ulm_0_gtFine_color.png")
    labels(city / "disparity/val/ulm/ulm_0_disparity.png")
    colour(ade / "ADEChallengeData2016/images/validation/a.png")
    labels(ade / "ADEChallengeData2016/annotations/validation/a.png")
    for root, name in (
        (city, "ulm_0_leftImg8bit.png"),
        (ade, "a.png"),
        (ade / "ADEChallengeData2016", "a.png"),
    ):
        assert [path.name for path in calibration_images(segmenter.config, root).sources] == [name]
    for folder in (
        city / "gtFine/val",
        city / "gtFine",
        ade / "ADEChallengeData2016/annotations/validation",
    ):
        with pytest.raises(InputError, match="must hold pictures, not label maps"):
            calibration_images(segmenter.config, folder)


def test_label_maps_beside_pictures_do_not_count(tmp_path, segmenter):
    colour(tmp_path / "ADE_train_1.png")
    for name in (
        "ADE_train_1_seg.png",
        "ADE_train_1_parts_1.png",
        "b_gtFine_instanceIds.png",
        "c_labelTrainIds.png",
    ):
        colour(tmp_path / name)
    (source,) = calibration_images(segmenter.config, tmp_path).sources
    assert source.name == "ADE_train_1.png"


def test_one_channel_among_colours_is_refused(tmp_path, segmenter):
    labels(tmp_path / "a_mask.png")
    assert len(calibration_images(segmenter.config, tmp_path)) == 1  # grey pictures by themselves are read
    colour(tmp_path / "a.png")
    wanted = f"{tmp_path} must hold pictures alone, not label maps: {tmp_path}/a_mask.png has one channel"
    with pytest.raises(InputError, match=f"^{re.escape(wanted)}"):
        calibration_images(segmenter.config, tmp_path)
