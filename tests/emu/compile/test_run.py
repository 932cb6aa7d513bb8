"""Blocks that differ are segments that differ; alike ones are one, and the residual fits between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.machine import Machine
from intarsia.emu.compile import Compiler, compile_graph
from intarsia.model.data.scenes import generate
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.networks.segmenter import SegmenterConfig
from intarsia.model.quantize.outline import outline
from intarsia.sim.agreement import disagreements
from tests.emu.compile.edits import (
    edited,
    reshaped,
    small_graph,
    with_heads,
    with_hidden,
    with_probabilities,
    without_bias,
)
from tests.emu.compile.machines import machine

SIZE = (20, 28)
LAST = "encoder.blocks.1"
CHANGES = {
    "another form of GELU": lambda g: edited(g, f"{LAST}.gelu", attributes={"form": "shift"}),
    "another form, by rows too": lambda g: edited(
        edited(g, f"{LAST}.gelu", attributes={"form": "shift"}),
        "encoder.blocks.0.gelu",
        attributes={"form": "lambda-shift"},
    ),
    "8-bit probabilities": lambda g: with_probabilities(g, LAST, 8),
    "heads": lambda g: with_heads(g, LAST, 4),
    "a narrower MLP": lambda g: with_hidden(g, LAST, 100),
    "a wider MLP": lambda g: with_hidden(g, LAST, 300),
    "no bias": lambda g: without_bias(g, f"{LAST}.fc1"),
    "swapped inputs": lambda g: edited(
        g, f"{LAST}.residual1", inputs=g.node(f"{LAST}.residual1").inputs[::-1]
    ),
}


@pytest.fixture(scope="module")
def graph():
    return small_graph(SIZE)


def names(graph, target):
    return [(segment.name, segment.repeat) for segment in compile_graph(graph, target).segments]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("banks", [512, 12, 10], ids=["on chip", "out during attention", "in DRAM"])
def test_blocks_that_differ(graph, change, banks):
    changed, target = change(graph), machine(banks=banks)
    assert disagreements(changed, target, generate(8, SIZE).image) == []
    runs = [pair for pair in names(changed, target) if pair[0].startswith("encoder[")]
    assert runs == [("encoder[0:1]", 1), ("encoder[1:2]", 1)]


def test_alike_blocks_between_others_stay_one_segment():
    graph = outline(SegmenterConfig.named("tiny", image=(64, 64), l2norm=False))
    for block in (3, 4, 8):
        graph = with_probabilities(graph, f"encoder.blocks.{block}", 8)
    found = [pair for pair in names(graph, machine(stationary_kib=256)) if "encoder[" in pair[0]]
    runs = [(0, 3), (3, 5), (5, 8), (8, 9), (9, 12)]
    assert found == [(f"encoder[{first}:{stop}]", stop - first) for first, stop in runs]


def test_numbers_alone_make_no_difference(graph):
    changed = edited(graph, f"{LAST}.shiftmax", attributes={"i0": 3, "n": 9, "reciprocal_bits": 46})
    assert ("encoder", 2) in names(changed, machine())
    assert disagreements(changed, machine(), generate(8, SIZE).image) == []


@pytest.mark.parametrize("banks", [96, 128, 160, 256, 512])
def test_runs_of_a_stack_agree_on_the_residual(banks):
    """Blocks whose own best plans would place it differently."""
    graph = outline(SegmenterConfig.named("tiny", image=(160, 160), l2norm=False))
    for block in range(6):
        name = f"encoder.blocks.{block}"
        graph = with_probabilities(with_heads(graph, name, 12), name, 8)
    compiler = Compiler(graph, machine(banks=banks, bank_kib=4, stationary_kib=256))
    compiler.program()
    plans = [compiler.plans[run.name] for run in compiler.stacks[0]]
    assert len(plans) == 2
    assert len({plan.residual for plan in plans}) == 1


def test_widths_of_the_nodes_are_taken_not_those_of_the_description(graph):
    """A description of another network: `check_graph` refuses it, and the compiler does not read it."""
    wrong = SegmenterConfig(
        embed=6, heads=3, layers=9, image=(33, 9), classes=77, patch=32, decoder_layers=5, mlp_ratio=9
    )
    lied = replace(graph, config=wrong, options=QuantizeOptions("shift", 8))
    assert disagreements(lied, machine(), generate(8, SIZE).image) == []
    assert compile_graph(lied, machine()) == compile_graph(graph, machine())


def test_a_presets_program_of_mixed_probabilities():
    """A wide node costs its own time: the program lies between those of all 8 and of all 16 bits."""
    config = SegmenterConfig.named("tiny", l2norm=False)
    narrow, wide = (outline(config, QuantizeOptions(softmax_bits=bits)) for bits in (8, 16))
    mixed = with_probabilities(narrow, "encoder.blocks.4", 16)
    sizes = [
        sum(len(q) for s in compile_graph(g, Machine.load("mobile")).segments for q in s.queues)
        for g in (narrow, mixed, wide)
    ]
    assert sizes[1] > max(sizes[0], sizes[2])
    runs = [s.name for s in compile_graph(mixed, Machine.load("mobile")).segments]
    assert runs[1:4] == ["encoder[0:4]", "encoder[4:5]", "encoder[5:12]"]


def test_unequal_widths_of_encoder_and_decoder(graph):
    """Sizes come from tensors: here the head's depth is cut to 5 channels."""
    for name in ("decoder.proj_patch", "decoder.proj_classes"):
        for role in ("weight", "b", "c"):
            key = graph.node(name).constants[role]
            graph = replace(graph, constants={**graph.constants, key: np.array(graph.constants[key][:5])})
        graph = reshaped(graph, name, (graph.tensors[name].shape[0], 5))
    assert disagreements(graph, machine(), generate(8, SIZE).image) == []
