"""Attention is one kernel only where its edges are those of the kernel; values are the same anyway."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.model.data.scenes import generate
from intarsia.model.export import export_onnx
from intarsia.model.export.runtime import run_onnx
from intarsia.model.integer.check import check_graph
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.fusion import attentions
from intarsia.model.integer.graph import LABELS, Graph, Node, Tensor
from intarsia.sim.agreement import engine_disagreements
from intarsia.sim.random_graph import random_graph, random_image, reordered, rewired

A, B = "encoder.blocks.0", "encoder.blocks.1"


def reading(graph: Graph, name: str, *inputs: str) -> Graph:
    nodes = tuple(replace(n, inputs=inputs) if n.name == name else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def ending(graph: Graph, *nodes: Node) -> Graph:
    """The graph with nodes behind its labels that read what the last attention makes."""
    sources = ["decoder.blocks.1.scores", "decoder.blocks.1.shiftmax", "decoder.blocks.1.mix"]
    like = {graph.node(name).op: graph.tensors[name] for name in sources}
    tensors = {n.name: Tensor(n.name, like[n.op].shape, like[n.op].dtype) for n in nodes}
    return replace(graph, nodes=(*graph.nodes, *nodes), tensors={**graph.tensors, **tensors})


def agrees(graph: Graph) -> None:
    image = generate(8, graph.config.image).image
    wanted = dict(Executor(check_graph(graph), "reference").tensors(image))
    assert engine_disagreements(graph, image, wanted) == []


def test_the_attentions_of_a_network(graph):
    found = attentions(graph.nodes)
    assert list(found) == [f"{side}.blocks.{i}.mix" for side in ("encoder", "decoder") for i in (0, 1)]
    assert attentions(graph.nodes, adjacent=True) == found
    assert found[f"{A}.mix"].scores.name == f"{A}.scores"


def test_nodes_that_do_not_follow_each_other_are_fused_where_nobody_looks(graph):
    place = graph.nodes.index(graph.node(f"{A}.mix"))
    unused = Node(
        "unused",
        "layernorm",
        ("encoder.embedding",),
        graph.node(f"{A}.norm1").constants,
        {"c": 9, "out_bits": 8},
    )
    tensor = replace(graph.tensors[f"{A}.norm1"], name="unused")
    nodes = (*graph.nodes[:place], unused, *graph.nodes[place:])
    graph = replace(graph, nodes=nodes, tensors={**graph.tensors, "unused": tensor})
    assert f"{A}.mix" in attentions(graph.nodes)
    assert f"{A}.mix" not in attentions(graph.nodes, adjacent=True)
    agrees(graph)


@pytest.mark.parametrize(
    "name, inputs",
    [
        (f"{B}.mix", (f"{B}.shiftmax", f"{A}.qkv")),
        (f"{B}.mix", (f"{A}.shiftmax", f"{B}.qkv")),
        (f"{B}.shiftmax", (f"{A}.scores",)),
        (f"{B}.scores", (f"{A}.qkv",)),
        (f"{B}.mix", (f"{B}.scores", f"{B}.qkv")),
    ],
)
def test_what_something_else_made(graph, tmp_path, name, inputs):
    """Reference, fast executor and ONNX follow the edge; no kernel has it inside."""
    changed = reading(graph, name, *inputs)
    assert f"{B}.mix" not in attentions(changed.nodes)
    agrees(changed)
    path = tmp_path / "model.onnx"
    export_onnx(changed, path)
    image = generate(8, graph.tensors["image"].shape[:2]).image
    np.testing.assert_array_equal(run_onnx(path, image), Executor(changed, "reference").run(image))


@pytest.mark.parametrize("op", ["scores", "shiftmax"])
def test_a_lone_node_at_the_end(graph, op):
    node = graph.node(f"decoder.blocks.1.{op}")
    agrees(ending(graph, replace(node, name="last")))


def test_scores_that_somebody_else_reads(graph):
    other = Node("other", "shiftmax", (f"{A}.scores",), {}, graph.node(f"{A}.shiftmax").attributes)
    place = graph.nodes.index(graph.node(f"{B}.norm1"))
    tensor = replace(graph.tensors[f"{A}.shiftmax"], name="other")
    nodes = (*graph.nodes[:place], other, *graph.nodes[place:])
    changed = replace(graph, nodes=nodes, tensors={**graph.tensors, "other": tensor})
    assert f"{A}.mix" not in attentions(changed.nodes)
    agrees(changed)


@pytest.mark.parametrize("seed", range(6))
def test_class_scores_of_graphs_with_any_names_and_sizes(seed):
    rng = np.random.default_rng(seed)
    graph = reordered(rewired(random_graph(rng), rng), rng)
    image = random_image(graph, rng)
    labels = Executor(graph).run(image)
    scores = Executor(graph).scores(image)
    assert scores.shape[1:] == labels.shape == graph.tensors[LABELS].shape
    np.testing.assert_array_equal(scores.argmax(axis=0), labels)
    np.testing.assert_array_equal(scores, Executor(graph, "reference").scores(image))
