"""Names and colours of classes: as many colours as classes."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.model.data import ade20k, cityscapes, scenes
from intarsia.model.data.legend import legend
from intarsia.model.networks.segmenter.config import SegmenterConfig


def config(dataset: str | None, classes: int) -> SegmenterConfig:
    return SegmenterConfig(
        embed=64, heads=1, layers=1, image=(16, 16), classes=classes, patch=8, dataset=dataset
    )


@pytest.mark.parametrize(
    ("dataset", "names"),
    [("ade20k", ade20k.CLASSES), ("cityscapes", cityscapes.CLASSES), ("scenes", scenes.CLASSES)],
)
def test_of_a_dataset(dataset, names):
    found, palette = legend(config(dataset, len(names)))
    assert found == names
    assert (palette.dtype, palette.shape) == (np.uint8, (len(names), 3))
    assert len(np.unique(palette, axis=0)) == len(names)


def test_ade20k_keeps_all_published_colours_but_the_one_that_it_has_twice():
    _, palette = legend(config("ade20k", 150))
    changed = np.flatnonzero((palette != ade20k.PALETTE).any(axis=1))
    assert [ade20k.CLASSES[i] for i in changed] == ["skyscraper"]


@pytest.mark.parametrize("classes", [1, 2, 150, 256, 1024])
def test_of_other_classes(classes):
    names, palette = legend(config(None, classes))
    assert len(set(names)) == classes
    assert len(np.unique(palette, axis=0)) == classes
