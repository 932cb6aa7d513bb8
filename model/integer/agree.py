"""Whether the description of an integer network says what its nodes do.

`config` and `options` tell people and other programs what network it is, and some compute with them: the
window, the patches, the classes. So a graph that contradicts them is refused. What holds for every network
is here; what its own configuration says, each network checks itself (`Network.agree`) with the words of
this module. Blocks may differ from each other; of heads, MLP widths, GELU forms and widths of Shiftmax one
at least must be the one described.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph, Node
from intarsia.model.networks import find


def check_agreement(graph: Graph) -> None:
    """Refuse, naming both sides, where config or options contradict the nodes and tensors."""
    config, options, tensors = graph.config, graph.options, graph.tensors
    network = find(graph.network)
    if type(config) is not network.config:
        kinds = network.config.__name__, type(config).__name__
        raise InputError(f"the config of a {graph.network} must be a {kinds[0]}, not a {kinds[1]}")
    for node in of(graph.nodes, "pixels"):
        same("config.patch", config.patch, f"patch of {node.name}", node.integer("patch"))
    network.agree(graph)
    widths = [tensors[node.name].shape[1] for node in of(graph.nodes, "gelu")]
    among("embed * mlp_ratio of config", config.embed * config.mlp_ratio, "gelu", widths)
    for key, op, attribute in (
        ("gelu", "gelu", "form"),
        ("softmax_bits", "shiftmax", "out_bits"),
        ("reciprocal_bits", "shiftmax", "reciprocal_bits"),
    ):
        values = [node.attributes[attribute] for node in of(graph.nodes, op)]
        among(f"options.{key}", getattr(options, key), op, values)


def check_stack(
    key: str, layers: int, heads_key: str, heads: int, nodes: Sequence[Node], where: str
) -> None:
    """Blocks and heads of a stack of blocks; where: which nodes these are."""
    mixes = list(of(nodes, "mix"))
    same(f"config.{key}", layers, f"number of mix nodes{where}", len(mixes))
    among(f"config.{heads_key}", heads, "mix", [node.integer("heads") for node in mixes])


def check_kinds(graph: Graph, *kinds: str) -> None:
    """Refuse other outputs than those of these kinds, in this order."""
    found = tuple(output.kind for output in graph.outputs)
    same("kinds of the graph's outputs", list(found), f"kinds of a {graph.network}'s", list(kinds))


def of(nodes: Sequence[Node], *ops: str) -> Iterable[Node]:
    """The nodes of these operators."""
    return (node for node in nodes if node.op in ops)


def same(key: str, said: object, what: str, found: object) -> None:
    """Refuse where two sides are not equal."""
    if found != said:
        raise InputError(f"the {key} must be {found}, the {what}, not {said}")


def among(key: str, said: object, op: str, found: Sequence[object]) -> None:
    """Refuse where none of the nodes' values is the one described."""
    if found and said not in found:
        seen = " or ".join(str(value) for value in list(dict.fromkeys(found))[:4])
        raise InputError(f"the {key} must be {seen}, as in the {op} nodes, not {said}")
