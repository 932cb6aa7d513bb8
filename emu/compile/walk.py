"""Steps along the edges of a graph, from a node back to those that it reads from.

Names say nothing here and neither does the order of the nodes. What cannot be followed is refused by the
name of the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph, Node


@dataclass(frozen=True)
class Rows:
    """Rows start..stop of the tensor `source`.

    cuts: name, start and stop of every `rows` node on the way, in rows of the source;  reader: the node
    that reads the source.
    """

    source: str
    reader: Node
    start: int
    stop: int
    cuts: tuple[tuple[str, int, int], ...]

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.stop - self.start


@dataclass(frozen=True)
class Normed:
    """Rows of what the LayerNorm `norm` makes."""

    norm: Node
    rows: Rows


class Walk:
    """The nodes of a graph by the tensors that they make."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made = {node.name: node for node in graph.nodes}

    def maker(self, reader: Node, index: int = 0) -> Node | None:
        """The node that makes an input of `reader`; None: it is the picture."""
        return self.made.get(reader.inputs[index])

    def source(self, reader: Node, index: int, *ops: str) -> Node:
        """The node that makes an input of `reader`, which must be of one of the kinds `ops`."""
        node = self.maker(reader, index)
        if node is None or node.op not in ops:
            name = reader.inputs[index]
            found = name if node is None else f"{name}, which is made by {node.op}"
            wanted = " or ".join(ops)
            raise InputError(f"{reader.name}: must read what {wanted} makes to be compiled, not {found}")
        return node

    def follows(self, node: Node | None, chain: Sequence[tuple[str, ...]]) -> int:
        """How many links of a chain a node and those behind it, along first inputs, are; each may be of
        some kinds."""
        for count, ops in enumerate(chain):
            if node is None or node.op not in ops:
                return count
            node = self.maker(node)
        return len(chain)

    def rows(self, reader: Node, index: int = 0) -> Rows:
        """The rows of a tensor that a node reads, cut out by any number of `rows` nodes."""
        cuts: list[Node] = []
        while (node := self.maker(reader, index)) is not None and node.op == "rows":
            cuts.append(node)
            reader, index = node, 0
        return self._cut(reader.inputs[index], reader, cuts)

    def normed(self, reader: Node) -> Normed:
        """The rows of a LayerNorm that a node reads."""
        rows = self.rows(reader)
        return Normed(self.source(rows.reader, rows.reader.inputs.index(rows.source), "layernorm"), rows)

    def output(self, node: Node) -> Normed:
        """The rows of a LayerNorm that a node makes: it is one, or cuts them out."""
        if node.op == "layernorm":
            return Normed(node, self._cut(node.name, node, []))
        rows = self.rows(node)
        norm = self.source(rows.reader, 0, "layernorm")
        cuts = [name for name, _, _ in rows.cuts]
        made = [self.made[name] for name in reversed(cuts)]
        return Normed(norm, self._cut(rows.source, rows.reader, [node, *made]))

    def _cut(self, source: str, reader: Node, cuts: Sequence[Node]) -> Rows:
        """cuts: from the last to the first."""
        start, stop = 0, self.graph.tensors[source].shape[0]
        places = []
        for cut in reversed(cuts):
            start, stop = start + cut.integer("start"), start + cut.integer("stop")
            places.append((cut.name, start, stop))
        return Rows(source, reader, start, stop, tuple(places))
