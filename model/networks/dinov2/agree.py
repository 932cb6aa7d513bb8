"""What the configuration of a DINOv2 encoder must agree with in its graph."""

from __future__ import annotations

from intarsia.model.integer.agree import check_kinds, check_stack, of, same
from intarsia.model.integer.graph import Graph
from intarsia.model.networks.dinov2.config import Dinov2Config


def agree(graph: Graph) -> None:
    """Refuse a graph that its configuration contradicts."""
    config, tensors = graph.config, graph.tensors
    assert isinstance(config, Dinov2Config)
    check_kinds(graph, "features", "features")
    for output, rows in zip(graph.outputs, (1, config.patches), strict=True):
        shape = tensors[output.tensor].shape
        same("config's shape of features", (rows, config.embed), f"shape of {output.tensor}", shape)
    for node in of(graph.nodes, "residual"):
        same("config.embed", config.embed, f"channels of {node.name}", tensors[node.name].shape[1])
    check_stack("layers", config.layers, "heads", config.heads, graph.nodes, "")
