"""Every kind of network on a machine: reference, kernels and emulator agree on every tensor and output."""

from __future__ import annotations

import pytest

from intarsia.arch.machine import Machine
from intarsia.model.data.scenes import generate
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.agreement import disagreements
from tests.model.networks.variants import VARIANTS, model_of

SHOWN = ("segmenter-linear", "vit", "vit, fc_norm", "deit distilled", "dinov2 with registers")
"""What the compiler has a part of its own for; the others are slow."""


@pytest.mark.parametrize(
    "variant", [pytest.param(one, marks=[] if one in SHOWN else pytest.mark.slow) for one in VARIANTS]
)
def test_reference_kernels_and_emulator_agree(variant):
    model = model_of(variant)
    picture = generate(4, model.config.image).image
    graph = quantize(model, [generate(5, model.config.image).image])
    assert disagreements(graph, Machine.load("edge"), picture) == []
