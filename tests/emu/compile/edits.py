"""A small graph and changes of graphs that tests make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data.scenes import generate
from intarsia.model.integer.check import check_graph
from intarsia.model.integer.graph import Graph, Node, QuantizeOptions
from intarsia.model.ops.table import FUNCTIONS, table_of
from intarsia.model.quantize.lower import scale_in
from intarsia.model.quantize.ptq import quantize
from tests.conftest import random_segmenter


def small_graph(size: tuple[int, int]) -> Graph:
    """A graph of 2 + 2 blocks for a few patches."""
    return quantize(random_segmenter(image=size), [generate(2, size).image], QuantizeOptions())


def edited(graph: Graph, name: str, **changes: Any) -> Graph:
    """The graph with other fields of one node; attributes are merged with those that it has."""
    node = graph.node(name)
    if "attributes" in changes:
        changes["attributes"] = {**node.attributes, **changes["attributes"]}
    nodes = tuple(replace(n, **changes) if n is node else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def reshaped(graph: Graph, name: str, shape: tuple[int, ...], dtype: str | None = None) -> Graph:
    """The graph with another shape or type of one tensor."""
    tensor = graph.tensors[name]
    changed = replace(tensor, shape=shape, dtype=dtype or tensor.dtype)
    return replace(graph, tensors={**graph.tensors, name: changed})


def with_array(graph: Graph, name: str, array: NDArray[Any]) -> Graph:
    """The graph with another array."""
    assert name in graph.constants
    return replace(graph, constants={**graph.constants, name: array})


def with_heads(graph: Graph, block: str, heads: int) -> Graph:
    """The graph with another number of heads in one block."""
    tokens = graph.tensors[f"{block}.scores"].shape[1]
    for part in ("scores", "mix"):
        graph = edited(graph, f"{block}.{part}", attributes={"heads": heads})
    for part in ("scores", "shiftmax"):
        graph = reshaped(graph, f"{block}.{part}", (heads, tokens, tokens))
    return graph


def with_hidden(graph: Graph, block: str, hidden: int) -> Graph:
    """The graph with another width of one block's MLP: the first channels of it, then the same again."""
    constants, tokens = dict(graph.constants), graph.tensors[f"{block}.fc1"].shape[0]
    for role, key in graph.node(f"{block}.fc1").constants.items():
        array = constants[key]
        constants[key] = np.resize(array, (hidden, *array.shape[1:]))
        assert role in ("weight", "bias", "b", "c")
    key = graph.node(f"{block}.fc2").constants["weight"]
    constants[key] = np.resize(constants[key].T, (hidden, constants[key].shape[0])).T.copy()
    graph = replace(graph, constants=constants)
    for part in ("fc1", "gelu"):
        graph = reshaped(graph, f"{block}.{part}", (tokens, hidden))
    return graph


def with_probabilities(graph: Graph, block: str, bits: int) -> Graph:
    """The graph with probabilities of another width in one block."""
    name = f"{block}.shiftmax"
    graph = edited(graph, name, attributes={"out_bits": bits})
    return reshaped(graph, name, graph.tensors[name].shape, f"int{bits}")


def without_bias(graph: Graph, name: str) -> Graph:
    """The graph with a linear operator that adds nothing."""
    constants: dict[str, str] = {k: v for k, v in graph.node(name).constants.items() if k != "bias"}
    unused = graph.node(name).constants["bias"]
    graph = edited(graph, name, constants=constants)
    return replace(graph, constants={k: v for k, v in graph.constants.items() if k != unused})


def with_tables(graph: Graph, *blocks: str) -> Graph:
    """Every GELU of these blocks becomes the table of another function."""
    nodes: list[Node] = []
    constants, functions = dict(graph.constants), list(FUNCTIONS.values())
    for node in graph.nodes:
        if node.op == "gelu" and node.name.startswith(blocks):
            key = f"{node.name}.table"
            scale = scale_in(graph.tensors[node.inputs[0]])
            constants[key] = table_of(functions[len(nodes) % len(functions)], scale, scale)
            node = replace(node, op="table", constants={"table": key}, attributes={})
        nodes.append(node)
    return check_graph(replace(graph, nodes=tuple(nodes), constants=constants))
