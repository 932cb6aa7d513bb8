"""Bounds of the int32 accumulators, and that the reader of a graph has the quantizer's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.model.errors import InputError
from intarsia.model.integer import bounds
from intarsia.model.integer.check import check_graph


def with_attributes(graph, name, **changes):
    nodes = tuple(
        replace(node, attributes={**node.attributes, **changes}) if node.name == name else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def test_a_linear_layer_reaches_its_bound():
    weight = np.array([[127, -128, 3], [0, 0, 1]], np.int8)
    x = np.where(weight[0] > 0, -128, 127).astype(np.int64)
    reach = bounds.linear_reach(weight, np.array([-50, 7], np.int32))
    assert reach.tolist() == [258 * 128 + 50, 128 + 7]
    assert abs(int(weight[0].astype(np.int64) @ x) - 50) <= reach[0]


def test_products_and_mixes():
    assert bounds.product_reach(1) == 2**14
    bounds.check_accumulator("masks", bounds.product_reach(131_071))
    with pytest.raises(
        InputError, match="masks: the int32 accumulator could reach 2147483648; it must stay"
    ):
        bounds.check_accumulator("masks", bounds.product_reach(131_072))
    assert bounds.mix_reach(2**15) == 2**22
    assert bounds.shiftmax_row(10, i0=1, n=15, reciprocal_bits=31, out_bits=16) == 2**15
    assert bounds.shiftmax_row(10, i0=2**23, n=31, reciprocal_bits=46, out_bits=8) == 10 * 32767 >> 8


@pytest.fixture
def reached(monkeypatch):
    """What `check_graph` finds that the accumulators of the nodes can reach."""
    found = {}
    monkeypatch.setattr(bounds, "check_accumulator", found.__setitem__)
    return found


def test_probabilities_are_followed_to_the_shiftmax_that_made_them(graph, reached):
    name, tokens = "encoder.blocks.0", graph.tensors["encoder.blocks.0.qkv"].shape[0]
    check_graph(graph)
    assert reached[f"{name}.mix"] == 2**15 * 128
    check_graph(with_attributes(graph, f"{name}.shiftmax", i0=2**23, n=31, reciprocal_bits=46))
    assert reached[f"{name}.mix"] == tokens * 32767 * 128


def test_a_mix_of_plain_scores_is_bounded_too(graph, reached):
    name, tokens = "encoder.blocks.0", graph.tensors["encoder.blocks.0.qkv"].shape[0]
    nodes = tuple(
        replace(node, inputs=(f"{name}.scores", f"{name}.qkv")) if node.name == f"{name}.mix" else node
        for node in graph.nodes
    )
    check_graph(replace(graph, nodes=nodes))
    assert reached[f"{name}.mix"] == tokens * 2**14


def test_products_of_activations_are_bounded_by_their_depth(graph, reached):
    check_graph(graph)
    assert reached["encoder.blocks.0.scores"] == 32 * 2**14
    assert reached["decoder.masks"] == 64 * 2**14
