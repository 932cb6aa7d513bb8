"""The fake-quantized model against the FP32 model and against the integer executor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intarsia.model.data.images import normalize
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import IMAGE, LABELS, QuantizeOptions
from intarsia.model.quantize.fake import FakeQuant
from intarsia.model.quantize.ptq import calibrate
from tests.conftest import random_segmenter

OPTIONS = [
    QuantizeOptions(),
    QuantizeOptions(softmax_bits=8, reciprocal_bits=46),
    QuantizeOptions(gelu="shift"),
    QuantizeOptions(gelu="lambda-shift", multiplier_bits=20),
]


def test_observing_computes_what_the_fp32_model_does(segmenter, picture):
    fake = FakeQuant(segmenter)
    with torch.no_grad():
        seen = fake.observe(picture[None], 0.05)[LABELS]
        wanted = segmenter.masks(normalize(picture[None], segmenter.config.normalization))
    torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_tensor_equals_the_executors(segmenter, picture, options):
    fake = calibrate(segmenter, [picture], options)
    simulated = fake.integers(np.stack([picture, picture[::-1]]))
    for index, image in enumerate((picture, np.ascontiguousarray(picture[::-1]))):
        compared = 0
        for name, array in Executor(fake.graph()).tensors(image):
            if name in simulated:
                np.testing.assert_array_equal(simulated[name][index].numpy(), array, err_msg=name)
                compared += 1
        assert compared == len(simulated)


def test_the_quantized_masks_are_close_to_the_real_ones(segmenter, picture):
    fake = calibrate(segmenter, [picture])
    with torch.no_grad():
        exact = segmenter.masks(normalize(picture[None], segmenter.config.normalization))
        rounded = fake(picture[None])[LABELS]
    assert float(torch.corrcoef(torch.stack([exact.flatten(), rounded.flatten()]))[0, 1]) > 0.95


def test_gradients_pass_straight_through(picture):
    fake = calibrate(random_segmenter(3), [picture])
    fake(picture[None])[LABELS].square().sum().backward()
    for key, parameter in fake.model.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    weight = fake.model.encoder.blocks[0].attn.qkv.weight
    assert weight.grad.abs().max() > 0


def test_the_image_is_not_in_the_simulated_tensors(segmenter, picture):
    assert IMAGE not in calibrate(segmenter, [picture]).integers(picture[None])
