"""The pattern of a transformer block, and the stacks that such blocks make.

x -> layernorm -> linear -> scores -> shiftmax -> mix -> linear -> residual with x
x -> layernorm -> linear -> gelu | table -> linear -> residual with x
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from intarsia.emu.compile.walk import Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

Chain = tuple[tuple[str, tuple[str, ...]], ...]
"""Part and operators that it may be, from a residual back along first inputs."""

ATTENTION: Chain = (
    ("proj", ("linear",)),
    ("mix", ("mix",)),
    ("shiftmax", ("shiftmax",)),
    ("scores", ("scores",)),
    ("qkv", ("linear",)),
    ("norm1", ("layernorm",)),
)
MLP: Chain = (
    ("fc2", ("linear",)),
    ("gelu", ("gelu", "table")),
    ("fc1", ("linear",)),
    ("norm2", ("layernorm",)),
)


@dataclass(frozen=True)
class Block:
    """One transformer block.

    nodes: by part: those of ATTENTION and MLP, `residual1`, `residual2`;  swapped: the residuals whose
    first input is the stream, not the branch.
    """

    nodes: Mapping[str, Node]
    swapped: frozenset[str]


def find_stack(walk: Walk, stream: str, reader: Node) -> tuple[tuple[Block, ...], Node]:
    """The blocks that end in the tensor `stream`, first to last, and the node that reads the first's input.

    reader: reads the stream.
    """
    blocks, last = list[Block](), reader
    while (node := walk.made.get(stream)) is not None and len(node.inputs) == 2:
        if node.op != "residual":
            walk.source(last, last.inputs.index(stream), "residual")
        blocks.append(_block(walk, node))
        last = blocks[-1].nodes["norm1"]
        stream = last.inputs[0]
    if not blocks:
        raise InputError(
            f"{reader.name}: must read the output of a transformer block to be compiled, not {stream}"
        )
    return tuple(blocks[::-1]), last


def _block(walk: Walk, last: Node) -> Block:
    """The transformer block that ends in the residual `last`."""
    mlp, stream, second = _added(walk, last, MLP)
    middle = walk.made.get(stream)
    if middle is None or middle.op != "residual" or len(middle.inputs) != 2:
        raise InputError(
            f"{mlp['norm2'].name}: must read a residual of two tensors to be compiled, not {stream}"
        )
    attention, _, first = _added(walk, middle, ATTENTION)
    swapped = {part for part, index in (("residual1", first), ("residual2", second)) if index}
    nodes = {**attention, **mlp, "residual1": middle, "residual2": last}
    return Block(nodes, frozenset(swapped))


def _added(walk: Walk, residual: Node, parts: Chain) -> tuple[dict[str, Node], str, int]:
    """A branch that a residual adds to the stream that it began from: its nodes, the stream, its input.

    Either input may be the branch. Of two problems the one further along the branch is told.
    """
    problems = []
    for index in (0, 1):
        stream = residual.inputs[1 - index]
        try:
            nodes = _chain(walk, residual, index, parts)
        except InputError as error:
            found = walk.follows(walk.maker(residual, index), [ops for _, ops in parts])
            problems.append((found, error))
            continue
        norm = nodes[parts[-1][0]]
        if norm.inputs[0] == stream:
            return nodes, stream, index
        sentence = f"must read {stream}, to which {residual.name} adds, to be compiled"
        problems.append((len(parts), InputError(f"{norm.name}: {sentence}, not {norm.inputs[0]}")))
    raise max(problems, key=lambda problem: problem[0])[1]


def _chain(walk: Walk, reader: Node, index: int, parts: Chain) -> dict[str, Node]:
    """The nodes of `parts`, from an input of `reader` back along first inputs."""
    found: dict[str, Node] = {}
    for part, ops in parts:
        reader = found[part] = walk.source(reader, index, *ops)
        index = 0
        if part == "scores" and found["mix"].inputs[1] != reader.inputs[0]:
            raise InputError(
                f"{found['mix'].name}: must read {reader.inputs[0]} like {reader.name} to be compiled, "
                f"not {found['mix'].inputs[1]}"
            )
    return found
