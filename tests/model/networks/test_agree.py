"""A graph that its configuration contradicts is refused, whatever the network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intarsia.model.errors import InputError
from intarsia.model.integer.check import check_graph
from intarsia.model.integer.graph import Output
from intarsia.model.quantize.outline import outline
from tests.model.networks.variants import config_of


@pytest.mark.parametrize(
    ("variant", "changes", "message"),
    [
        ("vit", {"classes": 11}, "config.classes must be 10, the last axis of classes, not 11"),
        ("vit", {"layers": 3}, "config.layers must be 2, the number of mix nodes, not 3"),
        ("vit", {"heads": 3}, "config.heads must be 2, as in the mix nodes, not 3"),
        ("vit", {"patch": 9}, "config.patch must be 8, the patch of pixels, not 9"),
        ("vit", {"mlp_ratio": 3}, "embed * mlp_ratio of config must be 96, as in the gelu nodes, not 72"),
        (
            "dinov2",
            {"embed": 26},
            "the config's shape of features must be (1, 24), the shape of class_token, not (1, 26)",
        ),
        (
            "segmenter-linear",
            {"classes": 5},
            "config.classes must be 300, the last axis of decoder.head, not 5",
        ),
        (
            "segmenter-linear",
            {"decoder": "mask"},
            "the graph's network must be segmenter, the network of config.decoder mask, not ",
        ),
    ],
)
def test_a_contradiction_is_named(variant, changes, message):
    graph = outline(config_of(variant))
    with pytest.raises(InputError) as error:
        check_graph(replace(graph, config=replace(graph.config, **changes)))
    assert message in str(error.value)


def test_a_configuration_of_another_network_is_refused():
    graph = replace(outline(config_of("vit")), network="dinov2")
    with pytest.raises(
        InputError, match="^the config of a dinov2 must be a Dinov2Config, not a ViTConfig$"
    ):
        check_graph(graph)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ((), r"^the graph must have outputs of different names, not \[\]$"),
        (
            (Output("a", "classes", "classes"),) * 2,
            r"^the graph must have outputs of different names, not \['a', ",
        ),
        ((Output("a", "nothing", "classes"),), "^the graph must make the tensor nothing$"),
        (
            (Output("a", "classes", "sound"),),
            "^the kind of output a must be one of labels, classes, features, ",
        ),
        (
            (Output("a", "encoder.norm", "classes"),),
            r"^output a must be int16 of 2 axes, not int8 \[13, 24\]$",
        ),
        ((Output("a", "encoder.embedding", "classes"),), "^output a must have one row, not 13$"),
        (
            (Output("a", "classes", "features"),),
            r"^the kinds of the graph's outputs must be \['classes'\], the kinds of a vit's, "
            r"not \['features'\]$",
        ),
    ],
)
def test_outputs_are_checked(outputs, message):
    with pytest.raises(InputError, match=message):
        check_graph(replace(outline(config_of("vit")), outputs=outputs))
