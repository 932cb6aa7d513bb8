"""Class scores to labels, for all tails that end in them: argmax of every patch, repeated over its pixels.

scores -> argmax -> nearest
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intarsia.arch.isa import Argmax, Expand, Store
from intarsia.emu.compile.context import Context
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.part import Part
from intarsia.emu.compile.stages.stage import Tail
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Walk
from intarsia.model.integer.graph import Node

SCORE_ROWS = 128
"""Patches that are scored at once, at most, where not all of a row block fit."""


@dataclass(frozen=True)
class Grid:
    """The nodes behind the scores of [patches, classes]; `dtype`: of the labels."""

    argmax: Node
    labels: Node
    patches: int
    classes: int
    dtype: str

    @classmethod
    def find(cls, walk: Walk, labels: Node) -> Grid:
        """The two nodes that end in `labels`."""
        argmax = walk.source(labels, 0, "argmax")
        patches, classes = walk.graph.tensors[argmax.inputs[0]].shape
        return cls(argmax, labels, patches, classes, walk.graph.output(argmax).dtype)

    @property
    def item(self) -> int:
        """Bytes of a label."""
        return np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class LabelTail(Tail):
    """A tail of which labels leave."""

    grid: Grid


class LabelPart(Part):
    """Emits labels; "grid", of one label per patch, is on chip until all are there."""

    def __init__(self, context: Context, places: Places, grid: Grid) -> None:
        super().__init__(context, places)
        self.grid = grid

    @staticmethod
    def most_rows(x: Matrix) -> list[int]:
        """Numbers of patches to try at once: a whole row block, then fewer and fewer."""
        most = max(rows for _, rows in x.blocks)
        few = min(most, SCORE_ROWS)
        return [most, *(few >> n for n in range(few.bit_length()))]

    def _argmax(self, scores: View, grid: int, row: int) -> None:
        """Scores of patches from number `row` on to their labels."""
        item = self.grid.item
        argmax = Argmax(
            scores.address, grid + row * item, scores.rows, scores.columns, scores.stride, wide=item == 2
        )
        self.c.add(argmax, self.grid.argmax.name)

    def _labels(self, grid: int) -> None:
        """Every row of patch labels widened, then stored as often as a patch has lines."""
        c, item, labels = self.c, self.grid.item, self.grid.labels
        down, across = (self.grid.argmax.integer(key) for key in ("height", "width"))
        patch, height, width = (labels.integer(key) for key in ("patch", "height", "width"))
        lines = [c.arena.allocate(f"line {turn}", padded(across * patch * item, 16)) for turn in range(2)]
        for row in c.some(range(down)):
            line = lines[row % 2]
            source = grid + row * across * item
            c.add(Expand(source, line, 1, across, 0, 0, patch, wide=item == 2), labels.name)
            count = min(patch, height - row * patch)
            target = self.at.outputs[labels.name] + row * patch * width * item
            c.add(Store(target, line, width * item, count, 1, width * item, 0, 0, 0), labels.name)
        for turn in range(2):
            c.arena.free(f"line {turn}")
