"""Labels of repeated segments."""

import pytest

from intarsia.emu.compile.names import labels_of_parts


@pytest.mark.parametrize(
    "names, label, listed",
    [
        (["a.0.x", "a.1.x"], "a.{i}.x", ()),
        (["a.0.x"], "a.{i}.x", ()),
        (["0.b0", "1.b0"], "{i}.b0", ()),
        (["0.b0", "0.b1"], "0.b{i}", ()),
        (["x"], "x", ()),
        (["a.10.x"], "a.10.x", ()),
        (["a.5.x", "a.6.x"], "a.5.x", (("a.5.x", ("a.5.x", "a.6.x")),)),
        (["a", "b"], "a", (("a", ("a", "b")),)),
        (["a.{i}"], "a.{i}", (("a.{i}", ("a.{i}",)),)),
    ],
)
def test_labels(names, label, listed):
    assert labels_of_parts({"x": names}) == ({"x": label}, listed)


def test_a_name_with_a_placeholder_is_never_taken_for_another():
    labels, listed = labels_of_parts({"x": ["a.0", "a.1"], "y": ["a.{i}", "b"]})
    assert labels == {"x": "a.0", "y": "a.{i}"}
    assert dict(listed) == {"a.0": ("a.0", "a.1"), "a.{i}": ("a.{i}", "b")}
