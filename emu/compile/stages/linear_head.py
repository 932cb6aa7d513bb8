"""Segmenter's linear decoder: one product makes the scores of every patch.

layernorm -> rows -> linear -> argmax -> nearest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from intarsia.emu.compile.context import Context
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.labels import Grid, LabelPart, LabelTail
from intarsia.emu.compile.stages.stage import Keep
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Normed, Walk
from intarsia.model.integer.graph import Node


@dataclass(frozen=True)
class LinearHead(LabelTail):
    """`normed`: the rows of the LayerNorm that `linear` reads."""

    ENDS: ClassVar = (("nearest", "argmax", "linear"),)

    normed: Normed
    linear: Node

    @property
    def reader(self) -> Node:
        """See `Tail`."""
        return self.normed.norm

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return self.normed.norm, self.linear, self.grid.argmax, self.grid.labels

    @classmethod
    def find(cls, walk: Walk, output: Node) -> LinearHead:
        """See `Tail`."""
        grid = Grid.find(walk, output)
        linear = walk.source(grid.argmax, 0, "linear")
        return cls(output, grid, walk.normed(linear), linear)

    def emit(self, context: Context, places: Places, x: Matrix, keep: Keep) -> None:
        """See `Tail`."""
        _LinearHead(context, places, self).head(x)


class _LinearHead(LabelPart):
    def __init__(self, context: Context, places: Places, tail: LinearHead) -> None:
        super().__init__(context, places, tail.grid)
        self.tail = tail

    def head(self, x: Matrix) -> None:
        self._head(x, self._first(self.most_rows(x), lambda rows: self._head(x, rows)))

    def _head(self, x: Matrix, most: int) -> None:
        c, tail, classes = self.c, self.tail, self.grid.classes
        grid = c.arena.allocate("grid", self.grid.patches * self.grid.item)
        self._constants(tail.normed.norm, 0, x.columns)
        pitch = padded(2 * classes, 16)
        for start, rows in c.some(self._parts(x, tail.normed.rows, most)):
            row = start - tail.normed.rows.start
            normed = self._normed(tail.normed, x, start, rows)
            scores = View(c.arena.allocate("scores", rows * pitch), pitch, rows, classes, "int16")
            self._linear(tail.linear, normed, scores, row)
            self._argmax(scores, grid, row)
            c.arena.free("scores")
            c.arena.free("normalized rows")
            c.flush()
        self._labels(grid)
        c.arena.free("grid")
