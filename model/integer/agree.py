"""Whether the description of an integer network says what its nodes do.

`config` and `options` tell people and other programs what network it is, and some compute with them: the
window, the patches, the classes. So a graph that contradicts them is refused. Blocks may differ from each
other; of heads, MLP widths, GELU forms and widths of Shiftmax one at least must be the one described.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import LABELS, Graph, Node


def check_agreement(graph: Graph) -> None:
    """Refuse, naming both sides, where config or options contradict the nodes and tensors."""
    config, options, tensors = graph.config, graph.options, graph.tensors
    _same("config.image", config.image, f"shape of {LABELS}", tensors[LABELS].shape)
    for node in _of(graph.nodes, "pixels", "nearest"):
        _same("config.patch", config.patch, f"patch of {node.name}", node.integer("patch"))
    for node in _of(graph.nodes, "argmax"):
        masks = tensors[node.inputs[0]]
        _same("config.classes", config.classes, f"last axis of {masks.name}", masks.shape[1])
    for node in _of(graph.nodes, "residual"):
        _same("config.embed", config.embed, f"channels of {node.name}", tensors[node.name].shape[1])
    _same("config.l2norm of an integer network", False, "config.l2norm", config.l2norm)
    _same("config.upsampling of an integer network", "nearest", "config.upsampling", config.upsampling)

    # The class embeddings are appended where the decoder begins.
    start = next((i for i, node in enumerate(graph.nodes) if node.op == "append"), len(graph.nodes))
    _check_stack("layers", config.layers, "heads", config.heads, graph.nodes[:start])
    heads = config.decoder_head_count
    _check_stack("decoder_layers", config.decoder_layers, "decoder_heads", heads, graph.nodes[start:])
    widths = [tensors[node.name].shape[1] for node in _of(graph.nodes, "gelu")]
    _among("embed * mlp_ratio of config", config.embed * config.mlp_ratio, "gelu", widths)
    for key, op, attribute in (
        ("gelu", "gelu", "form"),
        ("softmax_bits", "shiftmax", "out_bits"),
        ("reciprocal_bits", "shiftmax", "reciprocal_bits"),
    ):
        values = [node.attributes[attribute] for node in _of(graph.nodes, op)]
        _among(f"options.{key}", getattr(options, key), op, values)


def _check_stack(key: str, layers: int, heads_key: str, heads: int, nodes: Sequence[Node]) -> None:
    mixes = list(_of(nodes, "mix"))
    place = "before" if key == "layers" else "after"
    _same(f"config.{key}", layers, f"number of mix nodes {place} append", len(mixes))
    _among(f"config.{heads_key}", heads, "mix", [node.integer("heads") for node in mixes])


def _of(nodes: Sequence[Node], *ops: str) -> Iterable[Node]:
    return (node for node in nodes if node.op in ops)


def _same(key: str, said: object, what: str, found: object) -> None:
    if found != said:
        raise InputError(f"the {key} is {said}, but the {what} is {found}; they must be equal")


def _among(key: str, said: object, op: str, found: Sequence[object]) -> None:
    if found and said not in found:
        seen = ", ".join(str(value) for value in list(dict.fromkeys(found))[:4])
        raise InputError(f"the {key} is {said}, but the {op} nodes have {seen}; one at least must have it")
