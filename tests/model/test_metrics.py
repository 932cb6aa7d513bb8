"""Confusion matrix and what is derived from it, against counting pixel by pixel."""

import math

import numpy as np
import pytest

from intarsia.model.errors import InputError
from intarsia.model.metrics import Confusion, TopK


def test_a_case_by_hand():
    confusion = Confusion(4)
    truth = np.array([[0, 0, 0, 1], [1, 255, 255, 0]], np.uint8)
    prediction = np.array([[0, 0, 1, 1], [2, 3, 0, 0]], np.uint8)
    confusion.add(truth, prediction)
    assert confusion.counts.tolist() == [[3, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert confusion.iou[:3].tolist() == [3 / 4, 1 / 3, 0]
    assert math.isnan(confusion.iou[3])  # neither true nor predicted at a pixel that counts
    assert confusion.miou == pytest.approx((3 / 4 + 1 / 3 + 0) / 3)
    assert confusion.pixel_accuracy == 4 / 6


def test_maps_add_up_to_counting_every_pixel():
    rng = np.random.default_rng(1)
    confusion, counts = Confusion(5), np.zeros((5, 5), int)
    for _ in range(3):
        truth, prediction = rng.integers(0, 5, (2, 9, 11), dtype=np.uint8)
        truth[rng.random(truth.shape) < 0.2] = 255
        confusion.add(truth, prediction)
        for t, p in zip(truth.ravel(), prediction.ravel(), strict=True):
            if t != 255:
                counts[t, p] += 1
    assert confusion.counts.dtype == np.int64
    assert (confusion.counts == counts).all()
    for k in range(5):
        union = counts[k].sum() + counts[:, k].sum() - counts[k, k]
        assert confusion.iou[k] == counts[k, k] / union


def test_nothing_counted_is_nan():
    confusion = Confusion(2)
    confusion.add(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8))
    assert np.isnan(confusion.iou).all()
    assert math.isnan(confusion.miou)
    assert math.isnan(confusion.pixel_accuracy)


def test_what_is_predicted_at_ignored_pixels_does_not_matter():
    confusion = Confusion(2)
    confusion.add(np.array([255, 1]), np.array([77, 1]))
    assert confusion.counts.tolist() == [[0, 0], [0, 1]]


def test_wrong_maps_are_refused_and_not_counted():
    confusion = Confusion(3)
    with pytest.raises(InputError, match=r"^the prediction must have the truth's size \(2,\), not \(3,\)$"):
        confusion.add(np.zeros(2, np.uint8), np.zeros(3, np.uint8))
    with pytest.raises(InputError, match=r"^truth must have labels 0 to 2, not 3$"):
        confusion.add(np.array([3, 0]), np.array([0, 0]))
    with pytest.raises(InputError, match=r"^prediction must have labels 0 to 2, not -1$"):
        confusion.add(np.array([0, 0]), np.array([0, -1]))
    assert confusion.counts.sum() == 0
    for classes in (0, 256):
        with pytest.raises(InputError, match=rf"must be 1 to 255 .*, not {classes}$"):
            Confusion(classes)


def test_top_k_counts_by_the_order_of_the_scores():
    found = TopK()
    scores = np.array([3, 9, 1, 9, 5, 4, 7], np.int16)  # best first: 1, 3, 6, 4, 5, 0, 2
    for truth in (1, 3, 5, 0, 2):
        found.add(truth, scores)
    assert (found.images, found.share(1), found.share(5)) == (5, 1 / 5, 3 / 5)
    assert found.share(1) == sum(np.argmax(scores) == truth for truth in (1, 3, 5, 0, 2)) / 5


def test_top_k_of_few_classes_and_of_none():
    found = TopK()
    assert np.isnan(found.share(1))
    found.add(0, np.array([-5]))
    assert (found.share(1), found.share(5)) == (1, 1)
    with pytest.raises(InputError, match=r"class must be in 0\.\.0, not 1"):
        found.add(1, np.array([-5]))
