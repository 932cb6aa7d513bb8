"""The network found along the edges: what is followed, and what is refused by the name of a node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.emu.compile import compile_graph
from intarsia.emu.compile.pattern import find_network
from intarsia.emu.compile.stages.mask_head import MaskHead
from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.integer.check import check_graph
from intarsia.model.integer.graph import Node, Tensor
from intarsia.sim.agreement import disagreements
from intarsia.sim.random_graph import renamed, reordered
from tests.emu.compile.edits import edited, reshaped, small_graph
from tests.emu.compile.machines import machine

SIZE = (20, 28)


@pytest.fixture(scope="module")
def graph():
    return small_graph(SIZE)


def holds(graph):
    assert disagreements(check_graph(graph), machine(), generate(8, SIZE).image) == []


def with_node(graph, at, node, shape, dtype):
    """The graph with one more node, before the node `at`."""
    place = graph.nodes.index(graph.node(at))
    tensors = {**graph.tensors, node.name: Tensor(node.name, shape, dtype)}
    return replace(graph, nodes=(*graph.nodes[:place], node, *graph.nodes[place:]), tensors=tensors)


def test_the_parts_of_a_network(graph):
    network = find_network(graph)
    assert [len(stack) for stack in network.stacks] == [2, 2]
    (between,), (tail,) = network.between, network.tails
    assert between.normed.rows.cuts == (("encoder.patches", 1, 13),)
    assert isinstance(tail, MaskHead)
    assert tail.vectors.rows.count == 12 and tail.kernels.rows.start == 12
    assert network.stacks[1][1].nodes["fc2"].name == "decoder.blocks.1.fc2"
    # Every node of the graph is a part.
    cuts = [between.normed.rows, tail.vectors.rows, tail.kernels.rows]
    found = {node.name for node in network.nodes} | {name for rows in cuts for name, _, _ in rows.cuts}
    assert found == {node.name for node in graph.nodes}


@pytest.mark.parametrize("seed", range(3))
def test_names_and_order_say_nothing(graph, seed):
    rng = np.random.default_rng(seed)
    other = renamed(reordered(graph, rng), rng)
    assert {node.name for node in other.nodes} & {node.name for node in graph.nodes} <= {"labels"}
    holds(other)


@pytest.mark.parametrize("names", [("encoder.blocks.0.residual1",), ("decoder.blocks.1.residual2",)])
def test_multipliers_go_with_the_inputs_of_a_residual(graph, names):
    for name in names:
        graph = edited(graph, name, inputs=graph.node(name).inputs[::-1], attributes={"c2": 12})
    holds(graph)


def test_other_patches_in_the_head(graph):
    """Two rows of the decoder as the vectors of patches of 20 pixels."""
    graph = edited(graph, "decoder.patches", attributes={"start": 5, "stop": 7})
    graph = edited(graph, "grid", attributes={"height": 1, "width": 2})
    graph = edited(graph, "labels", attributes={"patch": 20})
    names = ("decoder.patches", "decoder.proj_patch", "decoder.masks", "decoder.mask_norm")
    for name in names:
        graph = reshaped(graph, name, (2, *graph.tensors[name].shape[1:]))
    # Only the operators are asked: the description of the network says another patch.
    graph = reshaped(graph, "grid", (1, 2))
    assert disagreements(graph, machine(), generate(8, SIZE).image) == []


def test_rows_of_rows(graph):
    more = Node("more", "rows", ("encoder.norm",), {}, {"start": 0, "stop": 13})
    graph = with_node(graph, "encoder.patches", more, (13, 64), "int8")
    holds(edited(graph, "encoder.patches", inputs=("more",)))


@pytest.mark.parametrize("start", [0, 1])
def test_other_rows_of_the_encoder(graph, start):
    holds(edited(graph, "encoder.patches", attributes={"start": start, "stop": start + 12}))


def test_other_rows_of_the_decoder(graph):
    graph = edited(graph, "decoder.patches", attributes={"start": 10, "stop": 22})
    holds(edited(graph, "decoder.classes", attributes={"start": 3, "stop": 13}))


def test_what_the_labels_do_not_need_is_left_out(graph):
    unused = Node(
        "unused", "scores", ("encoder.blocks.0.qkv",), {}, {"heads": 2, "b": 1, "c": 9, "out_bits": 8}
    )
    graph = with_node(graph, "encoder.blocks.1.norm1", unused, (2, 13, 13), "int8")
    holds(graph)
    assert not any("unused" in region.name for region in compile_graph(graph, machine()).regions)


def test_pixels_of_a_part_of_the_picture(graph):
    """24 of 32 rows of a picture, as many as the network has patches for."""
    tensors = {**graph.tensors, "image": Tensor("image", (32, 28, 3), "uint8")}
    part = Node("part", "rows", ("image",), {}, {"start": 0, "stop": 20})
    graph = with_node(replace(graph, tensors=tensors), "pixels", part, (20, 28, 3), "uint8")
    with pytest.raises(InputError, match="^pixels: must read image to be compiled, not part$"):
        compile_graph(edited(graph, "pixels", inputs=("part",)), machine())


REFUSED = {
    "norm2 of another tensor": (
        lambda g: edited(g, "encoder.blocks.1.norm2", inputs=("encoder.blocks.0.residual2",)),
        "encoder.blocks.1.norm2: must read encoder.blocks.1.residual1, to which encoder.blocks.1.residual2 "
        "adds, to be compiled, not encoder.blocks.0.residual2",
    ),
    "norm1 of another tensor": (
        lambda g: edited(g, "encoder.blocks.1.norm1", inputs=("encoder.embedding",)),
        "encoder.blocks.1.norm1: must read encoder.blocks.0.residual2, to which encoder.blocks.1.residual1 "
        "adds, to be compiled, not encoder.embedding",
    ),
    "another block's scores": (
        lambda g: edited(g, "encoder.blocks.1.shiftmax", inputs=("encoder.blocks.0.scores",)),
        "encoder.blocks.1.mix: must read encoder.blocks.0.qkv like encoder.blocks.0.scores to be compiled, "
        "not encoder.blocks.1.qkv",
    ),
    "another block's qkv": (
        lambda g: edited(
            g, "encoder.blocks.1.mix", inputs=("encoder.blocks.1.shiftmax", "encoder.blocks.0.qkv")
        ),
        "encoder.blocks.1.mix: must read encoder.blocks.1.qkv like encoder.blocks.1.scores to be compiled, "
        "not encoder.blocks.0.qkv",
    ),
    "fc1 of the other norm": (
        lambda g: edited(g, "encoder.blocks.1.fc1", inputs=("encoder.blocks.1.norm1",)),
        "encoder.blocks.1.norm1: must read encoder.blocks.1.residual1, to which encoder.blocks.1.residual2 "
        "adds, to be compiled, not encoder.blocks.0.residual2",
    ),
    "no encoder block": (
        lambda g: edited(g, "encoder.norm", inputs=("encoder.embedding",)),
        "encoder.norm: must read the output of a transformer block to be compiled, not encoder.embedding",
    ),
    "a residual of twice the same": (
        lambda g: edited(g, "encoder.blocks.0.residual1", inputs=("encoder.blocks.0.proj",) * 2),
        "encoder.blocks.0.norm1: must read encoder.blocks.0.proj, to which encoder.blocks.0.residual1 "
        "adds, to be compiled, not encoder.embedding",
    ),
}


@pytest.mark.parametrize("change, sentence", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_followed_is_refused_by_name(graph, change, sentence):
    changed = check_graph(change(graph))
    with pytest.raises(InputError) as error:
        compile_graph(changed, machine())
    assert str(error.value) == sentence
