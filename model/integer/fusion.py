"""Which nodes of a graph one kernel of attention may compute, by their edges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from intarsia.model.integer.graph import Node


@dataclass(frozen=True)
class Attention:
    """Scores of a tensor, their Shiftmax and the mix of the same tensor."""

    scores: Node
    shiftmax: Node
    mix: Node


def attentions(nodes: Sequence[Node], *, adjacent: bool = False) -> dict[str, Attention]:
    """By the name of the mix: three nodes whose edges are those that the kernel has inside.

    Shiftmax reads the scores, mix reads that Shiftmax and the tensor of the scores with as many heads,
    and nobody else reads scores or probabilities. adjacent: only nodes that follow each other.
    """
    place = {node.name: index for index, node in enumerate(nodes)}
    readers = Counter(name for node in nodes for name in node.inputs)
    found = {}
    for mix in nodes:
        if mix.op != "mix" or mix.integer("out_bits") != 8:
            continue
        shiftmax = nodes[place[mix.inputs[0]]] if mix.inputs[0] in place else mix
        if shiftmax.op != "shiftmax" or shiftmax.inputs[0] not in place:
            continue
        scores = nodes[place[shiftmax.inputs[0]]]
        alone = readers[scores.name] == 1 and readers[shiftmax.name] == 1
        follows = [place[node.name] - place[mix.name] for node in (scores, shiftmax)] == [-2, -1]
        if (
            scores.op == "scores"
            and scores.inputs[0] == mix.inputs[1]
            and scores.integer("heads") == mix.integer("heads")
            and alone
            and (follows or not adjacent)
        ):
            found[mix.name] = Attention(scores, shiftmax, mix)
    return found
