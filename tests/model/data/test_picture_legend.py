"""The legend under an overlay and in a mask: what occurs, nothing hidden, nothing cut."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from intarsia.model.colours import distinct
from intarsia.model.data.images import overlay, read_map
from intarsia.model.data.picture_legend import (
    EDGE,
    PAPER,
    entries,
    in_words,
    percent,
    with_legend,
    write_segmented,
)

RNG = np.random.default_rng(5)


def case(height, width, classes, names=None):
    palette = distinct(classes)
    label = RNG.integers(0, classes, (height, width)).astype(np.uint8 if classes <= 256 else np.uint16)
    label.reshape(-1)[:classes] = np.arange(min(classes, label.size))
    picture = RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return picture, label, names or [f"class {i}" for i in range(classes)], palette


def swatches(shown, picture, palette):
    """The colours of the palette that stand in the legend as a filled square of 5 x 5 pixels."""
    below = shown[len(picture) :].astype(np.int32)
    code = below[..., 0] << 16 | below[..., 1] << 8 | below[..., 2]
    same = np.ones((code.shape[0] - 4, code.shape[1] - 4), bool)
    for y in range(5):
        for x in range(5):
            same &= code[y : code.shape[0] - 4 + y, x : code.shape[1] - 4 + x] == code[:-4, :-4]
    wanted = {(int(r) << 16 | int(g) << 8 | int(b)) for r, g, b in palette.tolist()}
    return set(code[:-4, :-4][same].tolist()) & wanted


@pytest.mark.parametrize(
    ("height", "width", "classes"),
    [
        (192, 256, 10),
        (60, 80, 10),
        (64, 64, 150),
        (512, 512, 150),
        (400, 60, 20),
        (1024, 2048, 19),
        (8, 8, 1),
    ],
)
def test_the_picture_stays_and_every_class_has_its_square(height, width, classes):
    picture, label, names, palette = case(height, width, classes)
    found = entries(label, names, palette)
    assert len(found) == classes
    shown = with_legend(picture, found)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[:height, :width], picture)
    assert len(swatches(shown, picture, palette)) == classes
    # White around everything: nothing is cut at the edges.
    assert (shown[-2:] == PAPER).all()
    assert (shown[height:, -1] == PAPER).all()
    assert (shown[height:, :3] == PAPER).all()
    assert shown.shape[1] <= max(width, 900)


def test_only_classes_that_occur_the_largest_first():
    label = np.array([[3, 3, 3], [1, 3, 1]], np.uint8)
    palette = distinct(5)
    found = entries(label, list("abcde"), palette)
    assert [(one.index, one.name, one.share) for one in found] == [(3, "d", 4 / 6), (1, "b", 2 / 6)]
    assert found[0].colour == tuple(palette[3].tolist())


def test_shares_in_words():
    assert [percent(share) for share in (1, 0.1234, 0.0005, 0.0001)] == ["100.0%", "12.3%", "0.1%", "<0.1%"]


def test_long_names_go_on_in_another_line():
    short, long = (
        with_legend(
            np.zeros((64, 64, 3), np.uint8), entries(np.zeros((4, 4), np.uint8), [name], distinct(1))
        )
        for name in ("road", "a class whose name is rather longer than one line of a legend should be")
    )
    assert long.shape[0] > short.shape[0] + 20
    assert long.shape[1] < 400
    assert (long[-1] == PAPER).all() and (long[64:, -1] == PAPER).all()


def test_white_classes_have_an_edge():
    palette = np.array([PAPER], np.uint8)
    shown = with_legend(
        np.zeros((64, 64, 3), np.uint8), entries(np.zeros((4, 4), np.uint8), ["a"], palette)
    )
    assert (shown == EDGE).all(axis=-1).any()


@pytest.mark.parametrize("classes", [10, 300])
def test_masks_stay_label_maps(tmp_path, classes):
    picture, label, names, palette = case(40, 50, classes)
    write_segmented(tmp_path / "mask.png", tmp_path / "overlay.png", picture, label, names, palette)
    with Image.open(tmp_path / "mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), label)
        assert mask.info["Legend"] == in_words(entries(label, names, palette))
    np.testing.assert_array_equal(read_map(tmp_path / "mask.png"), label)
    with Image.open(tmp_path / "overlay.png") as shown:
        np.testing.assert_array_equal(np.asarray(shown)[:40, :50], overlay(picture, label, palette))
