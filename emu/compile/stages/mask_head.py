"""Segmenter's mask transformer: the products of patches and classes are the scores.

layernorm -> (rows -> linear) twice -> matmul -> layernorm -> argmax -> nearest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from intarsia.emu.compile.context import Context
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.kernels import Kernels
from intarsia.emu.compile.stages.labels import Grid, LabelPart, LabelTail
from intarsia.emu.compile.stages.stage import Keep
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Normed, Rows, Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

CLASSES = (1024, 256, 64, 16)
"""Class vectors that are on chip at once where not all fit: multiples of the scores in a line."""


class Branch(NamedTuple):
    """Rows of the LayerNorm and the linear operator that takes them to the product."""

    normed: Normed
    linear: Node

    @property
    def rows(self) -> Rows:
        """The rows."""
        return self.normed.rows


class Pieces(NamedTuple):
    """How much the head works on at once: patches of a row block, and class vectors."""

    rows: int
    classes: int


@dataclass(frozen=True)
class MaskHead(LabelTail):
    """`vectors` and `kernels` are the operands of the product `masks`."""

    ENDS: ClassVar = (("nearest", "argmax", "layernorm"),)

    vectors: Branch
    kernels: Branch
    masks: Node
    mask_norm: Node

    @property
    def norm(self) -> Node:
        """The last LayerNorm of the decoder."""
        return self.vectors.normed.norm

    @property
    def reader(self) -> Node:
        """See `Tail`."""
        return self.norm

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        branches = self.vectors.linear, self.kernels.linear
        return (self.norm, *branches, self.masks, self.mask_norm, self.grid.argmax, self.grid.labels)

    @classmethod
    def find(cls, walk: Walk, output: Node) -> MaskHead:
        """See `Tail`."""
        grid = Grid.find(walk, output)
        mask_norm = walk.source(grid.argmax, 0, "layernorm")
        masks = walk.source(mask_norm, 0, "matmul")
        linears = [walk.source(masks, index, "linear") for index in (0, 1)]
        vectors, kernels = (Branch(walk.normed(linear), linear) for linear in linears)
        norm, other = (branch.normed.norm for branch in (vectors, kernels))
        if other != norm:
            raise InputError(
                f"{kernels.linear.name}: must read rows of {norm.name}, as {vectors.linear.name} does, "
                f"to be compiled, not of {other.name}"
            )
        return cls(output, grid, vectors, kernels, masks, mask_norm)

    def emit(self, context: Context, places: Places, x: Matrix, keep: Keep) -> None:
        """See `Tail`."""
        _MaskHead(context, places, self).head(x, keep)


class _MaskHead(LabelPart):
    def __init__(self, context: Context, places: Places, tail: MaskHead) -> None:
        super().__init__(context, places, tail.grid)
        self.tail = tail
        self.depth = places.weights[tail.kernels.linear.name].outputs
        self.stride = padded(self.depth, 16)

    def head(self, x: Matrix, keep: Keep) -> None:
        classes = self.grid.classes
        whole, *few = self.most_rows(x)
        options = [Pieces(whole, classes)]
        for count in (classes, *(k for k in CLASSES if k < classes)):
            options += [Pieces(rows, count) for rows in few]
        pieces = self._first(options, lambda pieces: self._head(x, pieces, 0))
        dram = keep("class vectors", classes * self.stride) if pieces.classes < classes else 0
        self._head(x, pieces, dram)

    def _head(self, x: Matrix, pieces: Pieces, dram: int) -> None:
        c, tail, classes = self.c, self.tail, self.grid.classes
        vectors = tail.vectors
        kernels = self._kernels(x, pieces, dram)
        grid = c.arena.allocate("grid", self.grid.patches * self.grid.item)
        self._constants(tail.mask_norm, 1, classes)
        self._parameter(tail.masks)
        pitch = padded(2 * classes, 16)
        for start, rows in c.some(self._parts(x, vectors.rows, pieces.rows)):
            row = start - vectors.rows.start
            address = c.arena.allocate("patch vectors", rows * self.stride, apart=kernels.name)
            vector = View(address, self.stride, rows, self.depth, "int8")
            self._project(x, start, vectors, vector)
            masks = View(c.arena.allocate("masks", rows * pitch), pitch, rows, classes, "int16")
            for first, count in kernels.chunks:
                part = masks[:, first : first + count]
                word, name = self._word(tail.masks), tail.masks.name
                done = c.by_rows(name, vector, kernels.find(first, count), part, word)
                c.probe(name, done, part, row, first)
            self._norm(tail.mask_norm, 1, masks, masks, row)
            self._argmax(masks, grid, row)
            c.arena.free("masks")
            c.arena.free("patch vectors")
        kernels.free()
        self._labels(grid)
        c.arena.free("grid")

    def _kernels(self, x: Matrix, pieces: Pieces, dram: int) -> Kernels:
        """The class vectors: on chip, or in DRAM and buffers for some of them."""
        c, branch = self.c, self.tail.kernels
        kernels = Kernels(c, branch.linear.name, dram, branch.rows.count, self.depth, pieces.classes)
        whole, stride = len(kernels.chunks) == 1, kernels.stride
        if whole:
            kernels.allocate()
        self._constants(self.tail.norm, 0, x.columns)
        for start, rows in c.some(self._parts(x, branch.rows, pieces.rows)):
            first = start - branch.rows.start
            if whole:
                self._project(x, start, branch, kernels.view(kernels.addresses[0] + first * stride, rows))
                continue
            tile = kernels.view(c.arena.allocate("class tile", rows * stride), rows)
            self._project(x, start, branch, tile)
            kernels.store(tile, first)
            c.arena.free("class tile")
        if not whole:
            kernels.allocate()
        return kernels

    def _project(self, x: Matrix, start: int, branch: Branch, target: View) -> None:
        """LayerNorm of rows of x from `start` on, then a branch's product."""
        c = self.c
        normed = self._normed(branch.normed, x, start, target.rows)
        self._linear(branch.linear, normed, target, start - branch.rows.start)
        c.arena.free("normalized rows")
        c.flush()
