"""The executor: both engines agree on every tensor, and no float is in sight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import IMAGE, LABELS, QuantizeOptions
from intarsia.model.ops import OPERATORS
from intarsia.model.quantize.ptq import quantize
from tests.conftest import SIZE, random_segmenter

VARIANTS = [
    ({}, QuantizeOptions()),
    ({"patch": 16, "heads": 4, "image": (64, 96)}, QuantizeOptions("shift", 8)),
    ({"heads": 4, "decoder_heads": 1, "classes": 300}, QuantizeOptions()),
    ({"classes": 2, "embed": 96, "heads": 3}, QuantizeOptions("lambda-shift", 16, 32, 46)),
    ({"patch": 32, "image": (70, 41), "classes": 300}, QuantizeOptions("lambda-shift-elem", 8, 12, 40)),
]


@pytest.mark.parametrize(("changes", "options"), VARIANTS, ids=str)
def test_the_engines_agree_on_every_tensor_and_all_are_integers(changes, options):
    segmenter = random_segmenter(1, **changes)
    size = segmenter.config.image
    graph = quantize(segmenter, [generate(2, size).image], options)
    image = generate(3, size).image
    fast, reference = Executor(graph), Executor(graph, "reference")
    pairs = zip(fast.tensors(image), reference.tensors(image), strict=True)
    for (name, quick), (other, plain) in pairs:
        assert name == other
        tensor = graph.tensors[name]
        for array in (quick, plain):
            assert array.dtype == tensor.dtype, name
            assert array.dtype.kind in "iu", name
            assert array.shape == tensor.shape, name
        np.testing.assert_array_equal(quick, plain, err_msg=name)
    np.testing.assert_array_equal(fast.run(image), plain)
    np.testing.assert_array_equal(reference.run(image), plain)


def test_constants_are_integers(graph):
    assert graph.constants
    assert {array.dtype.kind for array in graph.constants.values()} == {"i"}


def test_the_reference_makes_no_float_on_the_way(graph, picture, monkeypatch):
    """Every array that an operator's arithmetic makes passes a gate that lets only integers by."""
    seen = []

    class Gate(np.ndarray):
        """An array that looks at the result of every function called on it."""

        def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
            plain = [v.view(np.ndarray) if isinstance(v, Gate) else v for v in inputs]
            made = getattr(ufunc, method)(*plain, **options)
            for array in made if isinstance(made, tuple) else (made,):
                kind = np.asarray(array).dtype.kind
                seen.append(kind)
                assert kind in "iub", f"{ufunc.__name__} made {np.asarray(array).dtype}"
            return made.view(Gate) if isinstance(made, np.ndarray) else made

    # The conversions that would turn a gate into a plain array.
    for name in ("asarray", "ascontiguousarray"):
        monkeypatch.setattr(np, name, np.asanyarray)
    gated = replace(graph, constants={k: v.view(Gate) for k, v in graph.constants.items()})
    labels = Executor(gated, "reference").run(picture.view(Gate))
    assert len(seen) > 500
    monkeypatch.undo()
    np.testing.assert_array_equal(labels.view(np.ndarray), Executor(graph).run(picture))


def test_a_float_tensor_is_seen(graph, picture, monkeypatch):
    whole = OPERATORS["rows"].reference

    def half(node, inputs, constants):
        return whole(node, inputs, constants) / 2

    monkeypatch.setattr(OPERATORS["rows"], "reference", half)
    kinds = {array.dtype.kind for _, array in Executor(graph, "reference").tensors(picture)}
    assert "f" in kinds


def test_scores_repeat_the_masks_over_each_patch(graph, picture):
    executor = Executor(graph)
    scores = executor.scores(picture)
    assert scores.shape == (10, *SIZE)
    np.testing.assert_array_equal(scores.argmax(axis=0), executor.run(picture))


def test_a_picture_of_another_size_or_type_is_refused(graph):
    executor = Executor(graph)
    with pytest.raises(InputError, match=r"must be uint8 \[60, 80, 3\], not uint8 \[60, 81, 3\]"):
        executor.run(np.zeros((60, 81, 3), np.uint8))
    with pytest.raises(InputError, match=r"not float64 \[60, 80, 3\]"):
        executor.run(np.zeros((60, 80, 3)))


def test_the_image_comes_first_and_the_labels_last(graph, picture):
    names = [name for name, _ in Executor(graph).tensors(picture)]
    assert names[0] == IMAGE
    assert names[-1] == LABELS
    assert names[1:] == [node.name for node in graph.nodes]


def test_what_is_no_array_is_refused(graph):
    with pytest.raises(InputError, match=r"^the image must be uint8 \[60, 80, 3\], not a list$"):
        Executor(graph).run([[1]])
