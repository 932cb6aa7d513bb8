"""The parts of a network, found along the edges from its outputs to the picture.

    embedding -> stack of blocks -> any number of: between -> stack of blocks
        -> a tail per output

`blocks.py` has the pattern of a block, `stages` those of all the rest. Names say nothing here and neither
does the order of the nodes. What no output depends on is left out; what one depends on is part of the
network, or refused by the name of the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from intarsia.emu.compile.blocks import Block, find_stack
from intarsia.emu.compile.stages import find_tail
from intarsia.emu.compile.stages.between import Between
from intarsia.emu.compile.stages.embedding import Embedding
from intarsia.emu.compile.stages.stage import Stage, Tail
from intarsia.emu.compile.stages.tokens import find_tokens
from intarsia.emu.compile.walk import Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph, Node, Tensor


@dataclass(frozen=True)
class Network:
    """The parts: `between[i]` is what is between `stacks[i]` and the next."""

    tensors: Mapping[str, Tensor]
    embedding: Embedding
    stacks: tuple[tuple[Block, ...], ...]
    between: tuple[Between, ...]
    tails: tuple[Tail, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All that is no stack."""
        return (self.embedding, *self.between, *self.tails)

    @property
    def own_nodes(self) -> tuple[Node, ...]:
        """The nodes of the stages, each once."""
        nodes = [node for stage in self.stages for node in stage.nodes]
        return tuple({node.name: node for node in nodes}.values())

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All but those that cut out rows."""
        blocks = (block for stack in self.stacks for block in stack)
        return (*self.own_nodes, *(node for block in blocks for node in block.nodes.values()))

    def tokens(self, stack: int) -> int:
        """Tokens of a stack."""
        return self.tensors[self.stacks[stack][0].nodes["norm1"].name].shape[0]

    def columns(self, node: Node) -> int:
        """Columns of what a node makes."""
        return self.tensors[node.name].shape[1]


def find_network(graph: Graph) -> Network:
    """The parts of a graph that `check_graph` accepts; InputError names the node that does not fit in."""
    walk = Walk(graph)
    leaving = dict.fromkeys(output.tensor for output in graph.outputs)
    tails = [find_tail(walk, walk.made[tensor]) for tensor in leaving]
    reader, stream = tails[0].reader, tails[0].stream
    for tail in tails:
        if tail.stream != stream:
            raise InputError(
                f"{tail.reader.name}: must read {stream}, as {reader.name} does, to be compiled, "
                f"not {tail.stream}"
            )
    stacks, between = list[tuple[Block, ...]](), list[Between]()
    while True:
        blocks, first = find_stack(walk, stream, reader)
        stacks.insert(0, blocks)
        tokens = find_tokens(walk, first)
        maker = walk.maker(tokens.linear)
        if maker is None or maker.op not in ("layernorm", "rows"):
            embedding = Embedding.find(walk, tokens)
            return Network(graph.tensors, embedding, tuple(stacks), tuple(between), tuple(tails))
        between.insert(0, Between.find(walk, tokens))
        reader, stream = between[0].normed.norm, between[0].source
