"""Networks that are no Segmenters with a mask transformer in the RTL: every tensor, output and cycle."""

from __future__ import annotations

import pytest

from intarsia.arch.machine import Machine
from intarsia.model.data.scenes import generate
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.rtl.network import compare_network
from tests.model.networks.variants import model_of


@pytest.mark.parametrize(
    "variant",
    ["segmenter-linear", "vit", "vit, mean", "vit, fc_norm", "deit distilled", "dinov2 with registers"],
)
def test_a_network_in_the_rtl(variant):
    model = model_of(variant)
    size = model.config.image
    graph = quantize(model, [generate(5, size).image])
    found = compare_network(graph, Machine.load("tests/hw/whole.toml"), generate(4, size).image)
    assert found.comparison.problems == ()
    assert found.comparison.compared_values > 0
    assert found.ok
