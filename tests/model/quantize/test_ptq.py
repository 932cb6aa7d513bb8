"""Calibration: what is observed, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import LABELS, MASKS, QuantizeOptions
from intarsia.model.quantize.ptq import calibrate, quantize
from tests.conftest import SIZE, random_segmenter


def test_no_images_are_refused(segmenter):
    with pytest.raises(InputError, match="at least one image"):
        quantize(segmenter, [])


def test_another_size_is_refused(segmenter):
    with pytest.raises(InputError, match=r"must be \[60, 80, 3\], not \[60, 88, 3\]"):
        quantize(segmenter, [np.zeros((60, 88, 3), np.uint8)])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_parameter_that_is_not_finite_is_named(picture, value):
    segmenter = random_segmenter(4)
    with torch.no_grad():
        segmenter.encoder.blocks[1].mlp.fc1.weight[3, 5] = value
    with pytest.raises(InputError, match=r"encoder\.blocks\.1\.mlp\.fc1\.weight"):
        quantize(segmenter, [picture])


def test_an_activation_that_overflows_is_named(picture):
    segmenter = random_segmenter(5)
    with torch.no_grad():
        segmenter.encoder.blocks[0].mlp.fc2.weight.fill_(3e38)
    with pytest.raises(InputError, match=r"encoder\.blocks\.0\.fc2: activations must be finite"):
        quantize(segmenter, [picture])


def test_a_dead_channel_with_a_large_bias_is_right(picture):
    segmenter = random_segmenter(6)
    with torch.no_grad():  # it has the least scale, at which its bias would not fit
        segmenter.encoder.blocks[0].mlp.fc1.weight[0] = 0
        segmenter.encoder.blocks[0].mlp.fc1.bias[0] = 1e6
    graph = quantize(segmenter, [picture])
    made = dict(Executor(graph).tensors(picture))["encoder.blocks.0.fc1"]
    wanted = 1e6 / graph.tensors["encoder.blocks.0.fc1"].scale
    assert np.abs(made[:, 0] - wanted).max() <= 1


def test_more_images_move_the_ranges_slowly(segmenter):
    dark, bright = (np.full((*SIZE, 3), value, np.uint8) for value in (10, 250))

    def low(*images):
        return float(calibrate(segmenter, images).ranges.state_dict()["_observers.encoder/embedding.low"])

    assert low(dark) != low(bright)
    assert low(dark, bright) == pytest.approx(0.05 * low(bright) + 0.95 * low(dark))


def test_scores_and_labels_have_the_types_of_the_contract(graph):
    assert graph.tensors[MASKS].dtype == "int16"
    assert (graph.tensors[LABELS].dtype, graph.tensors[LABELS].shape) == ("uint8", SIZE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gelu": "relu"}, "gelu must be one of shift, lambda-shift, lambda-shift-elem, not 'relu'"),
        ({"softmax_bits": 12}, "softmax bits must be 8 or 16, not 12"),
        ({"multiplier_bits": 33}, r"multiplier bits must be in 8\.\.32, not 33"),
        ({"reciprocal_bits": 47}, r"reciprocal bits must be in 15\.\.46, not 47"),
    ],
)
def test_options_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        QuantizeOptions(**changes)


def test_classes_beyond_a_byte_get_16_bit_labels():
    wide = random_segmenter(7, classes=300)
    graph = quantize(wide, [generate(1, SIZE).image])
    assert graph.tensors[LABELS].dtype == "uint16"
