"""Colours that differ, and first of all those that differ most."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.model.colours import distinct, hexadecimal, lab


@pytest.mark.parametrize("count", [0, 1, 12, 150, 1024, 3000])
def test_no_colour_twice(count):
    found = distinct(count)
    assert (found.dtype, found.shape) == (np.uint8, (count, 3))
    assert len(np.unique(found, axis=0)) == count


def test_taken_colours_are_kept_away_from():
    taken = [tuple(colour) for colour in distinct(20).tolist()]
    found = distinct(20, taken)
    assert not {tuple(colour) for colour in found.tolist()} & set(taken)
    np.testing.assert_array_equal(found, distinct(20, taken))


def test_few_colours_are_far_apart_and_seen_on_white():
    found = lab(distinct(20))
    distance = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert distance[~np.eye(20, dtype=bool)].min() > 25
    assert np.linalg.norm(found - lab(np.array([[255, 255, 255]], np.uint8)), axis=1).min() > 25


def test_lab_of_known_colours():
    found = lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], np.uint8))
    np.testing.assert_allclose(found, [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.2]], atol=0.1)


def test_hexadecimal():
    assert hexadecimal((0, 171, 255)) == "#00abff"
