"""Windows of pictures, and a network in the RTL."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.machine import Machine
from intarsia.emu.compile import compile_graph, memory_image
from intarsia.model.data.scenes import generate
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.rtl.network import compare_network, middle_window
from intarsia.sim.rtl.probes import expected
from tests.conftest import random_segmenter
from tests.emu.compile.graphs import picture as picture_of
from tests.emu.compile.graphs import quantized


@pytest.mark.parametrize("shape", [(60, 80), (120, 160), (60, 200), (500, 80)])
def test_the_middle_window(graph, shape):
    picture = np.zeros((*shape, 3), np.uint8)
    picture[shape[0] // 2, shape[1] // 2 :] = 255
    found = middle_window(picture, graph.config)
    assert found.shape == (*graph.config.image, 3)
    assert found[28:32, 70].any()


def of_one_patch():
    """5 x 7 pixels are less than a patch, so that token 0 is all that one of two row blocks holds."""
    size = (5, 7)
    segmenter = random_segmenter(4, image=size, embed=6, heads=1, layers=1, classes=3)
    return quantize(segmenter, [generate(5, size).image], QuantizeOptions()), generate(6, size).image


def test_probes_of_one_patch_hold_values():
    graph, image = of_one_patch()
    program = compile_graph(graph, Machine.load("tests/hw/whole.toml"))
    records = expected(program, memory_image(graph, program, image)).records
    assert records["rows"].min() >= 1 and records["row_bytes"].min() >= 1


def test_one_patch_in_the_rtl():
    graph, image = of_one_patch()
    found = compare_network(graph, Machine.load("tests/hw/whole.toml"), image)
    assert found.comparison.problems == ()
    assert found.ok


def test_a_network_in_the_rtl(graph, picture):
    """Every tensor, every label and every cycle."""
    found = compare_network(graph, Machine.load("tests/hw/whole.toml"), picture)
    assert found.comparison.problems == ()
    assert found.ok


@pytest.mark.slow  # another accelerator is compiled
@pytest.mark.parametrize(
    "kind",
    ["linear decoder", "distilled, many classes", "mean", "sum, LayerNorm behind",
     "positions of patches, registers", "LayerNorm before the blocks, no bias", "features"],
)  # fmt: skip
def test_networks_of_other_kinds_in_the_rtl(kind):
    """Their outputs too, whatever leaves them."""
    found = compare_network(quantized(kind), Machine.load("tests/hw/whole.toml"), picture_of(kind))
    assert found.comparison.problems == ()
    assert found.wrong == {}
    assert found.ok


@pytest.mark.parametrize(
    "changes", [{}, {"embed": 18, "heads": 1, "layers": 1, "classes": 30}], ids=["streamed", "odd"]
)
def test_a_network_with_eight_kib_of_scratchpad_in_the_rtl(changes):
    """Banks are shared, and q, k and v of a head come from DRAM."""
    target = replace(Machine.load("tests/hw/whole.toml"), banks=8, bank_kib=1, stationary_kib=6)
    shape = {"embed": 48, "heads": 2, "layers": 2, "classes": 7, "patch": 8, "mlp_ratio": 2, **changes}
    shape["image"] = 40, 72
    graph = quantize(random_segmenter(3, **shape), [generate(1, (40, 72)).image], QuantizeOptions())
    kept = [region.name for region in compile_graph(graph, target).regions if region.kind == "activations"]
    assert "decoder qkv" in kept
    found = compare_network(graph, target, generate(2, (40, 72)).image)
    assert found.comparison.problems == ()
    assert found.ok
