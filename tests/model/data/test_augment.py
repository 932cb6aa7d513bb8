"""Training windows: labels stay with their pixels, and the random numbers do what they say."""

import numpy as np
import pytest

from intarsia.model.data import augment
from intarsia.model.data.augment import PADDING, training_window

GREYS = np.array([0, 85, 170, 255], np.uint8)


@pytest.fixture
def plain(monkeypatch):
    """No change of light, so that a pixel's grey tells its label."""
    monkeypatch.setattr(augment, "_relit", lambda picture, rng: np.asarray(picture))


def blocks(height, width, side=16, seed=0):
    """Blocks of four labels, and a picture that shows the label."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, (-(-height // side), -(-width // side)), dtype=np.uint8)
    label = np.kron(coarse, np.ones((side, side), np.uint8))[:height, :width]
    return np.repeat(GREYS[label][..., None], 3, axis=2), label


def draw(image, label, window, size, seed):
    return training_window(image, label, window, size, np.random.default_rng(seed))


@pytest.mark.parametrize("shape", [(96, 128), (40, 200), (300, 90)])
def test_labels_stay_with_their_pixels(plain, shape):
    image, label = blocks(*shape)
    for seed in range(20):
        picture, labels = draw(image, label, (64, 64), (64, 64), seed)
        assert picture.shape == (64, 64, 3)
        assert labels.shape == (64, 64)
        assert picture.dtype == labels.dtype == np.uint8
        known = labels != 255
        near = np.abs(picture[..., 0].astype(int) - GREYS[np.where(known, labels, 0)])[known] < 43
        assert near.mean() > 0.8  # the others are blends along the edges of blocks
        # What is not known is padding, to the right and below.
        assert (picture[~known] == PADDING).all()
        rows, columns = known.any(axis=1).sum(), known.any(axis=0).sum()
        assert known[:rows, :columns].all()


def test_scale_goes_from_half_to_double(plain):
    image, label = blocks(64, 64)
    sides = [(draw(image, label, (128, 128), (64, 64), seed)[1] != 255).sum() ** 0.5 for seed in range(300)]
    assert min(sides) == pytest.approx(32, abs=2)
    assert max(sides) == pytest.approx(128, abs=2)
    assert np.mean(sides) == pytest.approx(80, abs=5)


def test_the_crop_is_the_one_of_the_whole_scaled_picture(plain, monkeypatch):
    """At scale one, every window is an exact part of the picture, perhaps mirrored."""
    monkeypatch.setattr(augment, "RATIOS", (1.0, 1.0))
    image, label = np.random.default_rng(1).integers(0, 4, (2, 40, 50), dtype=np.uint8)
    image = np.repeat(image[..., None], 3, axis=2)
    places, mirrored = set(), 0
    for seed in range(200):
        picture, labels = draw(image, label, (32, 32), (40, 50), seed)
        found = [
            (y, x, flip)
            for y in range(9)
            for x in range(19)
            for flip in (1, -1)
            if (label[y : y + 32, x : x + 32][:, ::flip] == labels).all()
        ]
        ((y, x, flip),) = found
        assert (image[y : y + 32, x : x + 32][:, ::flip] == picture).all()
        places.add((y, x))
        mirrored += flip < 0
    assert {y for y, _ in places} == set(range(9))
    assert {x for _, x in places} == set(range(19))
    assert 70 < mirrored < 130


def test_labels_are_those_at_the_centres_of_scaled_pixels(monkeypatch):
    monkeypatch.setattr(augment, "RATIOS", (1 / 3, 1 / 3))
    centres = np.random.default_rng(2).integers(0, 150, (32, 32), dtype=np.uint8)
    label = np.full((96, 96), 200, np.uint8)
    label[1::3, 1::3] = centres
    image = np.zeros((96, 96, 3), np.uint8)
    for seed in range(8):
        labels = draw(image, label, (32, 32), (96, 96), seed)[1]
        assert (labels == centres).all() or (labels == centres[:, ::-1]).all()


def test_crops_of_one_class_are_drawn_again(plain, monkeypatch):
    monkeypatch.setattr(augment, "RATIOS", (1.0, 1.0))
    label = np.zeros((64, 640), np.uint8)
    label[:, 600:] = 1
    image = np.repeat(label[..., None], 3, axis=2)

    def varied():
        return sum(len(np.unique(draw(image, label, (64, 64), (64, 640), s)[1])) > 1 for s in range(200))

    # Of 577 places, 40 show both classes and 25 enough of each: 4 % in one draw, 36 % in ten.
    many = varied()
    monkeypatch.setattr(augment, "TRIES", 1)
    once = varied()
    assert 0 < once < 30
    assert many > 60


def test_a_picture_without_labels_is_no_problem():
    image, label = blocks(50, 50)
    _, labels = draw(image, np.full_like(label, 255), (64, 64), (64, 64), 3)
    assert (labels == 255).all()


def test_the_seed_decides_everything():
    image, label = blocks(96, 128)
    first, again, other = (draw(image, label, (64, 64), (64, 64), seed) for seed in (4, 4, 5))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[0] != other[0]).any()


def test_light_changes_the_picture_but_not_the_labels(monkeypatch):
    image, label = blocks(96, 128)
    image = np.clip(image + np.array([0, 20, -20]), 0, 255).astype(np.uint8)
    lit = [draw(image, label, (64, 64), (64, 64), seed) for seed in range(12)]
    monkeypatch.setattr(augment, "_relit", lambda picture, rng: np.asarray(picture))
    plain = [draw(image, label, (64, 64), (64, 64), seed) for seed in range(12)]
    assert all((a[1] == b[1]).all() for a, b in zip(lit, plain, strict=True))
    changed = [(a[0] != b[0]).any() for a, b in zip(lit, plain, strict=True)]
    assert sum(changed) >= 8
