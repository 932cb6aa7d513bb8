"""Networks of every kind: every tensor equal to the executor's, with much and little memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.hazards import check_program
from intarsia.arch.isa import Lookup
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.emu.compile import compile_graph, memory_image, outputs_of
from intarsia.emu.compile.pattern import find_network
from intarsia.emu.execute import execute
from intarsia.model.errors import InputError
from intarsia.model.integer.check import check_graph
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import Output, Tensor
from intarsia.model.networks.dinov2.config import Dinov2Config
from intarsia.model.networks.vit.config import ViTConfig
from intarsia.model.quantize.outline import outline
from intarsia.sim.agreement import disagreements
from intarsia.sim.random_graph import renamed, reordered
from tests.emu.compile.edits import edited, reshaped, with_array
from tests.emu.compile.graphs import KINDS, VIT, picture, quantized, small_machine

MEMORY = {"on chip": 512, "out during attention": 24, "in DRAM": 12}


@pytest.mark.parametrize("banks", MEMORY.values(), ids=MEMORY)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network(kind, banks):
    assert disagreements(quantized(kind), small_machine(banks=banks), picture(kind)) == []


@pytest.mark.parametrize("kib", [1, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_with_the_fewest_banks_the_program_is_legal(kind, kib):
    """Buffers share banks, but no two that one instruction reads."""
    check_program(compile_graph(quantized(kind), small_machine(banks=8, bank_kib=kib)))


@pytest.mark.parametrize("kind", ["sum, LayerNorm behind", "distilled, many classes", "features"])
def test_names_and_order_say_nothing(kind):
    rng = np.random.default_rng(3)
    graph = renamed(reordered(quantized(kind), rng), rng)
    assert disagreements(graph, small_machine(), picture(kind)) == []


def test_outputs_have_the_graphs_names(tmp_path):
    kind = "features"
    graph, image = quantized(kind), picture(kind)
    program = compile_graph(graph, small_machine())
    assert {r.name: r.kind for r in program.regions if r.name in ("class_token", "patches")} == {
        "class_token": "features",
        "patches": "features",
    }
    assert program.label_dtype == ""
    program.save(tmp_path / "features.prg")
    again = Program.load(tmp_path / "features.prg")
    assert again == program
    found = outputs_of(graph, again, execute(again, memory_image(graph, again, image)))
    wanted = Executor(graph).outputs(image)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_as_many_classes_as_there_can_be():
    """65,536: made, added and stored some at a time, for no instruction has so many columns."""
    config = ViTConfig(**{**VIT, "embed": 4, "heads": 1, "layers": 1, "image": (8, 8), "classes": 2**16})
    graph, rng = outline(replace(config, distilled=True)), np.random.default_rng(0)
    for node in graph.nodes:
        for role, key in node.constants.items():
            if role == "weight":
                weight = rng.integers(-128, 128, graph.constants[key].shape, np.int8)
                graph = with_array(graph, key, weight)
    image = rng.integers(0, 256, (8, 8, 3), np.uint8)
    assert len(np.unique(Executor(graph).outputs(image)["classes"])) > 100
    assert disagreements(graph, small_machine(), image) == []


@pytest.mark.parametrize("banks", MEMORY.values(), ids=MEMORY)
def test_a_table_in_the_place_of_gelu(banks):
    """In one of two blocks, which is a segment of its own then."""
    name, kind = "encoder.blocks.1.gelu", "class token"
    table = np.random.default_rng(1).integers(-128, 128, 256).astype(np.int8)
    graph = quantized(kind)
    nodes = [replace(n, op="table", constants={"table": "t"}, attributes={}) for n in graph.nodes]
    nodes = tuple(new if old.name == name else old for old, new in zip(graph.nodes, nodes, strict=True))
    graph = check_graph(replace(graph, nodes=nodes, constants={**graph.constants, "t": table}))
    assert disagreements(graph, small_machine(banks=banks), picture(kind)) == []
    program = compile_graph(graph, small_machine(banks=banks))
    lookups = [sum(isinstance(op, Lookup) for q in s.queues for op in q) > 0 for s in program.segments]
    assert lookups == [True, False, True, False]


@pytest.mark.parametrize("banks", MEMORY.values(), ids=MEMORY)
def test_a_layernorm_of_a_mean_of_16_bits(banks):
    graph, kind = quantized("mean"), "mean"
    attributes = {"out_bits": 16, "c": max(graph.node("head.pool").integer("c") - 8, 0)}
    graph = edited(graph, "head.pool", attributes=attributes)
    graph = reshaped(graph, "head.pool", (1, 36), "int16")
    norm = replace(graph.node("encoder.norm"), name="behind", inputs=("head.pool",))
    tensors = {**graph.tensors, "behind": Tensor("behind", (1, 36), "int8")}
    graph = edited(graph, "classes", inputs=("behind",))
    graph = replace(graph, nodes=(*graph.nodes[:-1], norm, graph.nodes[-1]), tensors=tensors)
    assert disagreements(check_graph(graph), small_machine(banks=banks), picture(kind)) == []


def test_features_of_a_whole_layernorm_and_of_some_of_its_rows():
    graph = quantized("features")
    outputs = (*graph.outputs, Output("all", "encoder.norm", "features"))
    graph = replace(graph, outputs=outputs)
    assert disagreements(graph, small_machine(), picture("features")) == []


def test_classes_and_features_of_one_network():
    graph = quantized("distilled, many classes")
    graph = replace(graph, outputs=(*graph.outputs, Output("all", "encoder.norm", "features")))
    assert disagreements(graph, small_machine(), picture("distilled, many classes")) == []


def test_features_of_16_bits():
    graph = edited(quantized("features"), "encoder.norm", attributes={"out_bits": 16})
    for name in ("encoder.norm", "class_token", "patches"):
        graph = reshaped(graph, name, graph.tensors[name].shape, "int16")
    assert disagreements(graph, small_machine(), picture("features")) == []


@pytest.mark.parametrize("machine", ["edge", "mobile"])
@pytest.mark.parametrize(
    "config",
    [
        ViTConfig(embed=768, heads=12, layers=12, image=(384, 384), classes=1000, normalization="vit"),
        Dinov2Config(embed=384, heads=6, layers=12, image=(518, 518), patch=14, normalization="deit"),
    ],
    ids=["ViT-B/16 at 384x384", "DINOv2-S/14 at 518x518"],
)
def test_published_sizes_are_one_segment_per_stack(config, machine):
    program = compile_graph(outline(config), Machine.load(machine))
    names = [(segment.name, segment.repeat) for segment in program.segments]
    assert names == [("embedding", 1), ("encoder", 12), ("head", 1)]


def test_the_parts_of_a_classifier():
    network = find_network(quantized("positions of patches, registers"))
    steps = network.embedding.tokens.steps
    assert [(step.node.op, step.start, step.stop) for step in steps] == [
        ("residual", 5, 35),
        ("prepend", 0, 35),
    ]
    assert network.between == () and len(network.stacks[0]) == 2


def two_tokens(graph):
    graph = edited(graph, "head.token", attributes={"stop": 2})
    return reshaped(graph, "head.token", (2, 36))


REFUSED = {
    "several rows": (
        "class token",
        lambda g: reshaped(two_tokens(g), "classes", (2, 10)),
        "classes: must read one row to be compiled, not 2",
    ),
    "an output in the middle": (
        "class token",
        lambda g: replace(g, outputs=(*g.outputs, Output("x", "encoder.blocks.0.shiftmax", "features"))),
        "encoder.blocks.0.shiftmax: must be made by nearest, linear, residual, rows, layernorm to be "
        "compiled, not by shiftmax",
    ),
    "outputs of two stacks": (
        "class token",
        lambda g: replace(g, outputs=(*g.outputs, Output("x", "encoder.blocks.1.norm2", "features"))),
        "encoder.blocks.1.norm2: must read encoder.blocks.1.residual2, as encoder.norm does, to be "
        "compiled, not encoder.blocks.1.residual1",
    ),
    "a classifier of the pixels": (
        "class token",
        lambda g: edited(g, "classes", inputs=("pixels",)),
        "classes: must read what layernorm makes to be compiled, not pixels, which is made by pixels",
    ),
}


@pytest.mark.parametrize("kind, change, sentence", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(kind, change, sentence):
    with pytest.raises(InputError) as error:
        compile_graph(change(quantized(kind)), small_machine())
    assert str(error.value) == sentence
