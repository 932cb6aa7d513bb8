"""Axes by name: sizes found in shapes, shapes made of sizes, and what does not fit."""

from __future__ import annotations

import pytest

from intarsia.model.errors import InputError
from intarsia.model.integer.rules import allows, fit, in_words, shape_of


def test_names_get_the_sizes_of_the_first_shape():
    sizes = {"heads": 2}
    fit("x", "T 3*heads*D", (5, 24), sizes)
    assert sizes == {"heads": 2, "T": 5, "D": 4}
    assert shape_of("heads T T+D 7", sizes) == (2, 5, 9, 7)
    fit("y", "D heads*D", (4, 8), sizes)


@pytest.mark.parametrize(
    ("axes", "shape", "wanted"),
    [
        ("T K", (6, 3), "[5, K]"),
        ("3*heads*D T", (10, 5), "[6*D, 5]"),
        ("3 256", (2, 256), "[3, 256]"),
        ("height*width", (7,), "[6]"),
    ],
)
def test_what_does_not_fit_is_said(axes, shape, wanted):
    sizes = {"heads": 2, "T": 5, "height": 2, "width": 3}
    with pytest.raises(InputError) as error:
        fit("node: x", axes, shape, sizes)
    assert str(error.value) == f"node: x must have the shape {wanted}, not {list(shape)}"


def test_allowed_values():
    assert allows(range(1, 3), 2) and not allows(range(1, 3), 3)
    assert not allows(range(1, 3), True) and not allows(range(1, 3), 1.0) and not allows(range(3), "1")
    assert allows((8, 16), 8) and not allows(("a", "b"), "c")
    assert in_words(range(1, 32)) == "an integer in 1..31"
    assert in_words((8, 16)) == "8 or 16"
