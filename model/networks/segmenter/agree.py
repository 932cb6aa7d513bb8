"""What the configuration of a Segmenter must agree with in its graph."""

from __future__ import annotations

from intarsia.model.integer.agree import check_kinds, check_stack, of, same
from intarsia.model.integer.graph import LABELS, Graph
from intarsia.model.networks.segmenter.config import SegmenterConfig


def agree(graph: Graph) -> None:
    """Refuse a graph that its configuration contradicts."""
    config, tensors = graph.config, graph.tensors
    assert isinstance(config, SegmenterConfig)
    check_kinds(graph, "labels")
    labels = tensors[graph.outputs[0].tensor]
    same("config.image", config.image, f"shape of {LABELS}", labels.shape)
    for node in of(graph.nodes, "nearest"):
        same("config.patch", config.patch, f"patch of {node.name}", node.integer("patch"))
    for node in of(graph.nodes, "argmax"):
        masks = tensors[node.inputs[0]]
        same("config.classes", config.classes, f"last axis of {masks.name}", masks.shape[1])
    for node in of(graph.nodes, "residual"):
        same("config.embed", config.embed, f"channels of {node.name}", tensors[node.name].shape[1])
    same("graph's network", graph.network, f"network of config.decoder {config.decoder}", config.network)
    same("config.l2norm", config.l2norm, "l2norm of every integer network", False)
    same("config.upsampling", config.upsampling, "upsampling of every integer network", "nearest")

    if config.decoder == "linear":
        check_stack("layers", config.layers, "heads", config.heads, graph.nodes, "")
        return
    # The class embeddings are appended where the decoder begins.
    start = next((i for i, node in enumerate(graph.nodes) if node.op == "append"), len(graph.nodes))
    before, after = graph.nodes[:start], graph.nodes[start:]
    check_stack("layers", config.layers, "heads", config.heads, before, " before append")
    heads = config.decoder_head_count
    check_stack("decoder_layers", config.decoder_layers, "decoder_heads", heads, after, " after append")
