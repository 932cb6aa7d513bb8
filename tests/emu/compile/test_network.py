"""Compiled programs: every tensor equal to the executor's, on machines and models of all kinds."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intarsia.arch.isa import Store, Unit
from intarsia.arch.machine import Machine
from intarsia.arch.timing import simulate_program
from intarsia.emu.compile import compile_graph
from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.integer.artifact import load_artifact
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.predict import DEFAULT_ARTIFACT
from intarsia.model.quantize.outline import outline
from intarsia.model.quantize.ptq import quantize
from tests.conftest import random_segmenter
from tests.emu.compile.comparison import hold
from tests.emu.compile.machines import machine

ODD = {
    "lanes": 4,
    "accumulator_rows": 16,
    "shiftmax_lanes": 16,
    "layernorm_lanes": 1,
    "gelu_lanes": 32,
    "elementwise_lanes": 2,
    "banks": 33,
    "bank_kib": 48,
    "stationary_kib": 192,
    "memory_latency": 1000,
    "row_length": 1400,
}


@pytest.mark.parametrize(
    "shape",
    [
        {
            "embed": 2,
            "heads": 2,
            "image": (36, 1),
            "classes": 257,
            "patch": 32,
            "decoder_layers": 2,
            "mlp_ratio": 3,
        },
        {"embed": 66, "heads": 2, "image": (39, 43), "classes": 256, "patch": 16, "decoder_layers": 1},
        {"embed": 40, "heads": 1, "image": (39, 43), "classes": 256, "patch": 16, "decoder_layers": 1},
        {"embed": 6, "heads": 3, "image": (8, 8), "classes": 1, "patch": 8, "decoder_layers": 1},
    ],
    ids=count(),
)
def test_rows_that_end_before_their_stride(shape):
    """Spilled rows of bytes that are no multiple of 16: what pads them is never moved. And one patch."""
    graph, picture = random_segmenter_graph(shape)
    program = compile_graph(graph, machine(**ODD))
    hold(graph, machine(**ODD), picture)
    stores = [op for part in program.segments for op in part.queues[Unit.STORE]]
    if shape["classes"] > 100:
        assert any(isinstance(op, Store) and op.count1 > 1 and op.dram_stride1 > op.size for op in stores)


def random_segmenter_graph(shape):
    """A graph of random weights, and a picture for it."""
    torch.manual_seed(0)
    config = SegmenterConfig(**{"layers": 1, "decoder_heads": 1, "l2norm": False, **shape})
    picture = generate(0, config.image).image
    return quantize(Segmenter(config).eval(), [picture], QuantizeOptions()), picture


@pytest.mark.parametrize("preset", ["edge", "mobile", "server"])
@pytest.mark.parametrize("order", [tuple(Unit), tuple(reversed(Unit))], ids=["first", "last"])
def test_the_shipped_model_on_the_presets(preset, order):
    hold(load_artifact(DEFAULT_ARTIFACT), Machine.load(preset), generate(3).image, order)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_models_on_random_machines(data):
    draw = data.draw
    heads = draw(st.sampled_from([1, 2, 3]))
    size = draw(st.integers(9, 70)), draw(st.integers(9, 70))
    shape = {
        "embed": heads * draw(st.sampled_from([4, 16, 24, 33])),
        "heads": heads,
        "layers": draw(st.integers(1, 3)),
        "decoder_heads": draw(st.sampled_from([1, heads])),
        "decoder_layers": draw(st.integers(1, 2)),
        "patch": draw(st.sampled_from([8, 16])),
        "image": size,
        "classes": draw(st.sampled_from([1, 2, 7, 19, 260])),
        "mlp_ratio": draw(st.integers(1, 4)),
    }
    options = QuantizeOptions(
        gelu=draw(st.sampled_from(["shift", "lambda-shift", "lambda-shift-elem"])),
        softmax_bits=draw(st.sampled_from([8, 16])),
        multiplier_bits=draw(st.sampled_from([12, 16, 32])),
        reciprocal_bits=draw(st.sampled_from([20, 31, 46])),
    )
    target = machine(
        lanes=draw(st.sampled_from([4, 8, 16, 32])),
        depth=draw(st.sampled_from([4, 8, 16, 64])),
        accumulator_rows=draw(st.sampled_from([16, 30, 64, 300])),
        banks=draw(st.sampled_from([160, 256, 700])),
        stationary_kib=draw(st.sampled_from([48, 200])),
        memory_width=draw(st.sampled_from([1, 16])),
        memory_latency=draw(st.sampled_from([1, 300])),
    )
    graph = quantize(random_segmenter(draw(st.integers(0, 9)), **shape), [generate(1, size).image], options)
    try:
        compile_graph(graph, target)
    except InputError as error:
        assert ": set " in str(error)
        return
    hold(graph, target, generate(2, size).image)


def test_a_machine_too_small_says_what_does_not_fit_and_by_how_much():
    graph = outline(SegmenterConfig.named("tiny", l2norm=False))
    with pytest.raises(
        InputError, match=r"the scratchpad of small must have .* free in one piece for .*: set scratchpad"
    ):
        compile_graph(graph, machine(banks=8))
    sentence = "stationary.kib must be at least .* for its weights of 768 inputs, .*: set stationary.kib"
    with pytest.raises(InputError, match=sentence):
        compile_graph(graph, machine(stationary_kib=2))


@pytest.mark.parametrize("size", ["tiny", "base"])
def test_identical_layers_are_one_segment(size):
    program = compile_graph(outline(SegmenterConfig.named(size, l2norm=False)), Machine.load("mobile"))
    repeats = {segment.name: segment.repeat for segment in program.segments}
    assert (repeats["encoder"], repeats["decoder"]) == (12, 2)


@pytest.mark.parametrize("classes", [19, 20, 23, 150])
def test_ragged_tokens_have_no_cliff(classes):
    """A few more tokens cost about as many more cycles, whatever divides them."""

    def cycles(tokens):
        config = SegmenterConfig.named("tiny", classes=classes, image=(16 * tokens, 16), l2norm=False)
        return simulate_program(compile_graph(outline(config), Machine.load("mobile"))).cycles

    counts = [509, 512, 513, 521]
    times = [cycles(tokens) for tokens in counts]
    for i in range(len(counts) - 1):
        assert times[i + 1] / times[i] < (counts[i + 1] / counts[i]) ** 2 * 1.03
