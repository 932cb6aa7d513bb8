"""The Segmenter that a graph is: its nodes by their parts, found along the edges from `labels` to `image`.

Names say nothing here and neither does the order of the nodes. What the labels do not depend on is
left out; what they depend on is part of the network, or refused by the name of the node.

    pixels -> linear -> prepend -> residual with a constant -> blocks -> layernorm
        -> rows -> linear -> append -> blocks -> layernorm -> (rows -> linear) twice
        -> matmul -> layernorm -> argmax -> nearest
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import IMAGE, LABELS, Graph, Node, Tensor

ATTENTION = (
    ("proj", "linear"),
    ("mix", "mix"),
    ("shiftmax", "shiftmax"),
    ("scores", "scores"),
    ("qkv", "linear"),
    ("norm1", "layernorm"),
)
"""Part and operator, from the residual back along first inputs."""

MLP = (("fc2", "linear"), ("gelu", "gelu"), ("fc1", "linear"), ("norm2", "layernorm"))


@dataclass(frozen=True)
class Block:
    """One transformer block.

    nodes: by part: those of ATTENTION and MLP, `residual1`, `residual2`;  swapped: the residuals whose
    first input is the stream, not the branch.
    """

    nodes: Mapping[str, Node]
    swapped: frozenset[str]


@dataclass(frozen=True)
class Rows:
    """Rows start..stop of what `source` makes.

    cuts: name, start and stop of every `rows` node on the way, in rows of the source.
    """

    source: Node
    start: int
    stop: int
    cuts: tuple[tuple[str, int, int], ...]

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.stop - self.start


@dataclass(frozen=True)
class Branch:
    """Rows of the decoder's output and the linear operator that takes them to the product."""

    rows: Rows
    linear: Node


@dataclass(frozen=True)
class Network:
    """The parts of a Segmenter; `vectors` and `kernels` are the operands of the product `masks`."""

    tensors: Mapping[str, Tensor]
    pixels: Node
    patch_embed: Node
    tokens: Node
    embedding: Node
    encoder: tuple[Block, ...]
    encoder_norm: Node
    patches: Rows
    proj_dec: Node
    decoder_tokens: Node
    decoder: tuple[Block, ...]
    decoder_norm: Node
    vectors: Branch
    kernels: Branch
    masks: Node
    mask_norm: Node
    grid: Node
    labels: Node

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Those of the encoder, then those of the decoder."""
        return (*self.encoder, *self.decoder)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All but those that cut out rows."""
        return (
            self.pixels, self.patch_embed, self.tokens, self.embedding, self.encoder_norm, self.proj_dec,
            self.decoder_tokens, self.decoder_norm, self.vectors.linear, self.kernels.linear, self.masks,
            self.mask_norm, self.grid, self.labels,
            *(node for block in self.blocks for node in block.nodes.values()),
        )  # fmt: skip

    def rows(self, node: Node) -> int:
        """Rows of what a node makes."""
        return self.tensors[node.name].shape[0]

    def columns(self, node: Node) -> int:
        """Columns of what a node makes."""
        return self.tensors[node.name].shape[1]


def find_network(graph: Graph) -> Network:
    """The parts of a graph that `check_graph` accepts; InputError names the node that does not fit in."""
    walk = _Walk(graph)
    labels = walk.made[LABELS]
    if labels.op != "nearest":
        raise InputError(f"{LABELS}: must be made by nearest to be compiled, not by {labels.op}")
    grid = walk.source(labels, 0, "argmax")
    mask_norm = walk.source(grid, 0, "layernorm")
    masks = walk.source(mask_norm, 0, "matmul")
    vectors, kernels = (walk.branch(masks, index) for index in (0, 1))
    decoder_norm = vectors.rows.source
    if kernels.rows.source != decoder_norm:
        raise InputError(
            f"{kernels.linear.name}: must read rows of {decoder_norm.name}, as {vectors.linear.name} does, "
            f"to be compiled, not of {kernels.rows.source.name}"
        )
    decoder, decoder_tokens = walk.stack(decoder_norm, "append")
    proj_dec = walk.source(decoder_tokens, 0, "linear")
    patches = walk.rows(proj_dec)
    encoder_norm = patches.source
    encoder, embedding = walk.stack(encoder_norm, "residual")
    tokens = walk.source(embedding, 0, "prepend")
    patch_embed = walk.source(tokens, 0, "linear")
    pixels = walk.source(patch_embed, 0, "pixels")
    if pixels.inputs[0] != IMAGE:
        raise InputError(f"{pixels.name}: must read {IMAGE} to be compiled, not {pixels.inputs[0]}")
    return Network(
        graph.tensors,
        pixels,
        patch_embed,
        tokens,
        embedding,
        encoder,
        encoder_norm,
        patches,
        proj_dec,
        decoder_tokens,
        decoder,
        decoder_norm,
        vectors,
        kernels,
        masks,
        mask_norm,
        grid,
        labels,
    )


class _Walk:
    """Steps from a node to those that it reads from."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made = {node.name: node for node in graph.nodes}

    def source(self, reader: Node, index: int, op: str) -> Node:
        """The node that makes an input of `reader`, which must be of kind `op`."""
        name = reader.inputs[index]
        node = self.made.get(name)
        if node is None or node.op != op:
            found = name if node is None else f"{name}, which is made by {node.op}"
            raise InputError(f"{reader.name}: must read what {op} makes to be compiled, not {found}")
        return node

    def chain(self, reader: Node, index: int, parts: Sequence[tuple[str, str]]) -> dict[str, Node]:
        """The nodes of `parts`, from an input of `reader` back along first inputs."""
        found: dict[str, Node] = {}
        for part, op in parts:
            reader = found[part] = self.source(reader, index, op)
            index = 0
            if part == "scores" and found["mix"].inputs[1] != reader.inputs[0]:
                raise InputError(
                    f"{found['mix'].name}: must read {reader.inputs[0]} like {reader.name} to be compiled, "
                    f"not {found['mix'].inputs[1]}"
                )
        return found

    def rows(self, reader: Node) -> Rows:
        """The rows of a LayerNorm that a node reads, cut out by any number of `rows` nodes."""
        cuts: list[Node] = []
        while (node := self.made.get(reader.inputs[0])) is not None and node.op == "rows":
            cuts.append(node)
            reader = node
        source = self.source(reader, 0, "layernorm")
        start, stop = 0, self.graph.output(source).shape[0]
        places = []
        for cut in reversed(cuts):
            start, stop = start + cut.integer("start"), start + cut.integer("stop")
            places.append((cut.name, start, stop))
        return Rows(source, start, stop, tuple(places))

    def branch(self, masks: Node, index: int) -> Branch:
        """An operand of the last product."""
        linear = self.source(masks, index, "linear")
        return Branch(self.rows(linear), linear)

    def stack(self, norm: Node, start: str) -> tuple[tuple[Block, ...], Node]:
        """The blocks whose output `norm` reads, first to last, and the node that makes their input."""
        reader, blocks = norm, list[Block]()
        while (node := self.made.get(reader.inputs[0])) is not None and len(node.inputs) == 2:
            block = self.block(self.source(reader, 0, "residual"))
            blocks.append(block)
            reader = block.nodes["norm1"]
        if not blocks:
            raise InputError(
                f"{norm.name}: must read the output of a transformer block to be compiled, "
                f"not {norm.inputs[0]}"
            )
        return tuple(blocks[::-1]), self.source(reader, 0, start)

    def block(self, last: Node) -> Block:
        """The transformer block that ends in the residual `last`."""
        mlp, stream, second = self.added(last, MLP)
        middle = self.made.get(stream)
        if middle is None or middle.op != "residual" or len(middle.inputs) != 2:
            raise InputError(
                f"{mlp['norm2'].name}: must read a residual of two tensors to be compiled, not {stream}"
            )
        attention, _, first = self.added(middle, ATTENTION)
        swapped = {part for part, index in (("residual1", first), ("residual2", second)) if index}
        nodes = {**attention, **mlp, "residual1": middle, "residual2": last}
        return Block(nodes, frozenset(swapped))

    def added(self, residual: Node, parts: Sequence[tuple[str, str]]) -> tuple[dict[str, Node], str, int]:
        """A branch that a residual adds to the stream that it began from: its nodes, the stream, its input.

        Either input may be the branch. Of two problems the one further along the branch is told.
        """
        problems = []
        for index in (0, 1):
            stream = residual.inputs[1 - index]
            try:
                nodes = self.chain(residual, index, parts)
            except InputError as error:
                problems.append((self.depth(residual, index, parts), error))
                continue
            norm = nodes[parts[-1][0]]
            if norm.inputs[0] == stream:
                return nodes, stream, index
            sentence = f"must read {stream}, to which {residual.name} adds, to be compiled"
            problems.append((len(parts), InputError(f"{norm.name}: {sentence}, not {norm.inputs[0]}")))
        raise max(problems, key=lambda problem: problem[0])[1]

    def depth(self, reader: Node, index: int, parts: Sequence[tuple[str, str]]) -> int:
        """How many of `parts` are found."""
        for count, (_, op) in enumerate(parts):
            node = self.made.get(reader.inputs[index])
            if node is None or node.op != op:
                return count
            reader, index = node, 0
        return len(parts)
