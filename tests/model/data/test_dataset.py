"""Datasets by name, and what a training run relies on."""

import re

import numpy as np
import pytest
from PIL import Image

from intarsia.model.data import scenes
from intarsia.model.data.dataset import SCENES_PALETTE, TRAINING_SEEDS, open_dataset
from intarsia.model.data.images import write_png
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter.config import DATASETS


@pytest.fixture
def ade(tmp_path):
    """Ten pictures of validation, told apart by their grey."""
    rng = np.random.default_rng(0)
    (tmp_path / "images/validation").mkdir(parents=True)
    for k in range(10):
        Image.new("RGB", (80, 60), (20 * k,) * 3).save(tmp_path / f"images/validation/{k}.jpg")
        values = rng.integers(0, 151, (60, 80), dtype=np.uint8)
        write_png(tmp_path / f"annotations/validation/{k}.png", values)
    return tmp_path


def refused(message, *args, **options):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        open_dataset(*args, **options)


@pytest.mark.parametrize("window", [None, (48, 80)])
def test_scene_samples_are_the_generators(window):
    data = open_dataset("scenes", None, "train", window=window)
    for seed in (TRAINING_SEEDS, TRAINING_SEEDS + 12345):
        image, label = data.sample(seed)
        want = scenes.generate(seed, window or (192, 256))
        assert (image == want.image).all()
        assert (label == want.label).all()


def test_scene_examples():
    data = open_dataset("scenes", None, "val", window=(48, 64), count=3)
    assert len(data) == 3
    assert [e.name for e in data] == ["scene-0", "scene-1", "scene-2"]
    want = scenes.generate(2, (48, 64))
    assert (data[2].image == want.image).all()
    assert (data[2].label == want.label).all()
    with pytest.raises(IndexError):
        data[3]
    assert data.classes == scenes.CLASSES
    assert data.palette is SCENES_PALETTE
    assert data.palette.shape == (len(scenes.CLASSES), 3)


def test_scenes_of_the_splits_differ():
    train = open_dataset("scenes", None, "train", window=(48, 64), count=2)
    assert [e.name for e in train] == [f"scene-{2**32}", f"scene-{2**32 + 1}"]
    want = scenes.generate(2**32 + 1, (48, 64))
    assert (train[1].image == want.image).all()


def test_classes_and_windows_are_those_of_the_models(ade):
    for name, root in (("scenes", None), ("ade20k", ade)):
        data = open_dataset(name, root, "val")
        assert len(data.classes) == len(data.palette) == DATASETS[name]["classes"]
        assert data.window == DATASETS[name]["image"]


def test_count_spreads_over_the_files(ade):
    assert [e.name for e in open_dataset("ade20k", ade, "val", count=3)] == ["0", "3", "6"]
    assert len(open_dataset("ade20k", ade, "val", count=10)) == 10
    assert len(open_dataset("ade20k", ade, "val")) == 10
    refused(f"{ade} must have 11 examples or more for val, not 10", "ade20k", ade, "val", count=11)


def test_samples_come_from_all_pictures_by_the_seed_alone(ade):
    data = open_dataset("ade20k", ade, "val", window=(32, 48))
    others = open_dataset("ade20k", ade, "val", window=(32, 48))
    others.sample(99)
    greys = set()
    for seed in range(60):
        image, label = data.sample(seed)
        assert image.shape == (32, 48, 3)
        assert label.shape == (32, 48)
        again = others.sample(seed)
        assert (image == again[0]).all()
        assert (label == again[1]).all()
        greys.add(int(np.median(image)))
    assert len(greys) > 10  # ten pictures in different lights


def test_cityscapes_pictures_are_scaled_to_1024_lines(tmp_path):
    """A window of half the scale shows at most half of the picture's lines."""
    label = np.repeat(np.arange(19, dtype=np.uint8), 4)[:, None].repeat(152, axis=1)
    write_png(tmp_path / "leftImg8bit/val/ulm/a_leftImg8bit.png", np.full((76, 152, 3), 90, np.uint8))
    write_png(tmp_path / "gtFine/val/ulm/a_gtFine_labelTrainIds.png", label)
    data = open_dataset("cityscapes", tmp_path, "val", window=(256, 256))
    seen = [len(np.unique(data.sample(seed)[1])) for seed in range(40)]
    # 256 of 512 to 2048 lines: half to an eighth of the 19 classes.
    assert min(seen) <= 5
    assert 8 <= max(seen) <= 11


def test_wrong_arguments_are_refused(ade):
    refused("dataset must be one of ade20k, cityscapes, scenes, not 'coco'", "coco", ade, "val")
    refused("split must be one of train, val, not 'test'", "ade20k", ade, "test")
    refused("the number of examples must be at least 1, not 0", "scenes", None, "val", count=0)
    refused(
        "window must be two positive integers (height, width), not (0, 5)",
        "scenes",
        None,
        "val",
        window=(0, 5),
    )
    refused("cityscapes must have the folder that holds its files, not none", "cityscapes", None, "val")
