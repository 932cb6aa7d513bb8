"""What the configuration of a classifying ViT must agree with in its graph."""

from __future__ import annotations

from intarsia.model.integer.agree import check_kinds, check_stack, of, same
from intarsia.model.integer.graph import Graph
from intarsia.model.networks.vit.config import ViTConfig


def agree(graph: Graph) -> None:
    """Refuse a graph that its configuration contradicts."""
    config, tensors = graph.config, graph.tensors
    assert isinstance(config, ViTConfig)
    check_kinds(graph, "classes")
    scores = tensors[graph.outputs[0].tensor]
    same("config.classes", config.classes, f"last axis of {scores.name}", scores.shape[1])
    # What averages two heads has classes as its channels.
    heads = [node.name for node in of(graph.nodes, "residual") if tensors[node.name].shape != scores.shape]
    for name in heads:
        same("config.embed", config.embed, f"channels of {name}", tensors[name].shape[1])
    check_stack("layers", config.layers, "heads", config.heads, graph.nodes, "")
