"""Rows of a product to the tokens of a stack: constant rows joined, constants added, LayerNorm.

linear -> any number of: prepend | append | residual with a constant | layernorm to 16 bits
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from intarsia.emu.compile.context import Context, Done
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.part import Part
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Walk
from intarsia.model.integer.graph import Graph, Node


@dataclass(frozen=True)
class Step:
    """One of the steps, and its rows as rows of the tokens.

    start, stop: those that it passes on;  before, behind: those that it finds.
    """

    node: Node
    start: int
    stop: int
    before: int
    behind: int

    @property
    def joined(self) -> tuple[int, int]:
        """The constant rows that it joins: the first, and the one behind the last."""
        return (self.start, self.before) if self.before > self.start else (self.behind, self.stop)


@dataclass(frozen=True)
class Tokens:
    """A linear operator and the steps from its rows to `count` tokens."""

    linear: Node
    steps: tuple[Step, ...]
    count: int

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All of them."""
        return (self.linear, *(step.node for step in self.steps))

    @property
    def made(self) -> tuple[int, int]:
        """The tokens that begin as rows of the product: the first, and the one behind the last."""
        return (self.steps[0].before, self.steps[0].behind) if self.steps else (0, self.count)

    def shown(self, index: int) -> Iterator[tuple[str, int]]:
        """Tensors that hold what step `index` (-1: the product) has made, and their first tokens.

        They are those of the step and of all that join rows to it before another works on it.
        """
        if index >= 0:
            yield self.steps[index].node.name, self.steps[index].start
        else:
            yield self.linear.name, self.made[0]
        for step in self.steps[index + 1 :]:
            if step.node.op not in JOINS:
                return
            yield step.node.name, step.start


JOINS = ("prepend", "append")


def find_tokens(walk: Walk, reader: Node) -> Tokens:
    """What makes the tensor that `reader` reads."""
    count = walk.graph.tensors[reader.inputs[0]].shape[0]
    start, stop = 0, count
    steps: list[Step] = []
    while (node := walk.maker(reader)) is not None and _is_step(walk.graph, node):
        before, behind = start, stop
        if node.op in JOINS:
            joined = len(walk.graph.constants[node.constants["rows"]])
            before, behind = (start + joined, stop) if node.op == "prepend" else (start, stop - joined)
        steps.append(Step(node, start, stop, before, behind))
        reader, start, stop = node, before, behind
    return Tokens(walk.source(reader, 0, "linear"), tuple(steps[::-1]), count)


def _is_step(graph: Graph, node: Node) -> bool:
    wide = graph.output(node).dtype == "int16"
    return wide and (node.op in (*JOINS, "layernorm") or (node.op == "residual" and len(node.inputs) == 1))


class TokensPart(Part):
    """Emits tokens, by groups of row blocks of the residual."""

    def __init__(self, context: Context, places: Places, tokens: Tokens) -> None:
        super().__init__(context, places)
        self.tokens = tokens

    def _words(self) -> None:
        """LOAD the parameter words of the constants that are added."""
        for step in self.tokens.steps:
            if step.node.op == "residual":
                self._parameter(step.node)

    def _rows(self, x: Matrix, index: int) -> tuple[int, int]:
        """First row of the product, and number of them, in a block of tokens."""
        first, last = self._overlap(x, index, self.tokens.made)
        return first - self.tokens.made[0], last - first

    def _product(self, x: View, whole: View, start: int, row: int, weights: tuple[int, int, int]) -> None:
        """Rows of the product from `row` on, for tiles (address, first, number) of the weight.

        whole: the block of tokens, which begins with token `start`, that they belong to.
        """
        c, linear = self.c, self.tokens.linear
        y, tile, tiles = weights
        packed = self.at.weights[linear.name]
        column, columns = c.columns(packed, tile, tiles)
        token = row + self.tokens.made[0]
        out = whole[token - start : token - start + x.rows, column : column + columns]
        self._show(-1, c.linear(linear.name, x, out, packed, y), out, token, column)

    def _show(self, index: int, done: Done, view: View, token: int, column: int = 0) -> None:
        """Probe what a step (-1: the product) has made of the tokens from number `token` on."""
        for name, first in self.tokens.shown(index):
            self.c.probe(name, done, view, token - first, column)

    def _finish(self, x: Matrix, held: Mapping[int, int]) -> None:
        """All steps of a group of blocks, which stand at the addresses `held` and are closed then."""
        last = len(self.tokens.steps) - 1
        if last < 0:
            for i in held:
                self.c.close(x, i, held[i], store=True)
        for index, step in enumerate(self.tokens.steps):
            for i in self._stepped(x, held, index, step):
                if index == last:
                    self.c.close(x, i, held[i], store=True)

    def _stepped(self, x: Matrix, held: Mapping[int, int], index: int, step: Step) -> Iterator[int]:
        """A step of every block; their numbers as they are done."""
        c, node = self.c, step.node
        if node.op == "residual":
            yield from self._added(x, held, index, step)
            return
        if node.op == "layernorm":
            self._constants(node, 0, x.columns)
        for i in held:
            first, last = self._overlap(x, i, step.joined if node.op in JOINS else (step.start, step.stop))
            if first < last:
                view = self._view(x, held, i, first, last)
                if node.op in JOINS:
                    dram = self.at.arrays[node.name] + (first - step.joined[0]) * view.width
                    done = c.load_rows(view, dram, node.name)
                else:
                    done = c.norm(node.name, view, view, 0, self._word(node))
                self._show(index, done, view, first)
            yield i

    def _added(self, x: Matrix, held: Mapping[int, int], index: int, step: Step) -> Iterator[int]:
        c, node = self.c, step.node
        size = x.blocks[0][1] * x.stride
        names = [f"position[{turn}]" for turn in range(2)]
        buffers = [c.arena.allocate(name, size, apart=x.name) for name in names]
        for turn, i in enumerate(held):
            first, last = self._overlap(x, i, (step.start, step.stop))
            if first < last:
                view = self._view(x, held, i, first, last)
                position = View(buffers[turn % 2], x.stride, view.rows, x.columns, x.dtype)
                dram = self.at.arrays[node.name] + (first - step.start) * view.width
                c.load_rows(position, dram, node.name)
                done = c.residual(node.name, view, position, view, self._word(node))
                self._show(index, done, view, first)
            yield i
        for name in names:
            c.arena.free(name)

    def _view(self, x: Matrix, held: Mapping[int, int], index: int, first: int, last: int) -> View:
        """The tokens first..last of a block."""
        start = x.blocks[index][0]
        return x.view(index, held[index])[first - start : last - start]

    def _overlap(self, x: Matrix, index: int, rows: tuple[int, int]) -> tuple[int, int]:
        """Of the tokens rows[0]..rows[1] those of a block; none: an empty range."""
        start, count = x.blocks[index]
        first = max(start, rows[0])
        return first, max(min(start + count, rows[1]), first)
