"""Decoder outputs to class scores, argmax and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from intarsia.arch.isa import Argmax, Expand, Layout, Matmul, Space, Store, Unit
from intarsia.emu.compile.context import Matrix, row_blocks
from intarsia.emu.compile.emitter import Access, block
from intarsia.emu.compile.global_part import GlobalPart
from intarsia.emu.compile.kernels import Kernels
from intarsia.emu.compile.layout import Packed, padded
from intarsia.emu.compile.pattern import Branch, Rows
from intarsia.model.ops.argmax import label_dtype

SCORE_ROWS = 128
"""Patches that are scored at once, at most, where not all of a row block fit."""
CLASSES = (1024, 256, 64, 16)
"""Class vectors that are on chip at once where not all fit: multiples of the scores in a line."""


class Pieces(NamedTuple):
    """How much the head works on at once: patches of a row block, and class vectors."""

    rows: int
    classes: int


class Head(GlobalPart):
    """The decoder's last LayerNorm to the labels in DRAM."""

    def head(self, x: Matrix, keep: Callable[[str, int], int] = lambda name, size: 0) -> None:
        """Class scores, argmax and labels of x.

        keep(name, bytes): a place in DRAM for class vectors, where they do not fit on chip.
        """
        most, classes = max(rows for _, rows in x.blocks), self.network.kernels.rows.count
        few = min(most, SCORE_ROWS)
        options = [Pieces(most, classes)]
        for count in (classes, *(k for k in CLASSES if k < classes)):
            options += [Pieces(few >> n, count) for n in range(few.bit_length())]
        pieces = self._first(options, lambda pieces: self._head(x, pieces, 0))
        dram = 0
        if pieces.classes < classes:
            dram = keep("class vectors", classes * padded(self.at.proj_classes.outputs, 16))
        self._head(x, pieces, dram)

    def _head(self, x: Matrix, pieces: Pieces, dram: int) -> None:
        c, network = self.c, self.network
        vectors = network.vectors
        classes = network.kernels.rows.count
        stride = padded(self.at.proj_classes.outputs, 16)
        kernels = self._kernels(x, pieces, dram)
        item = 1 if label_dtype(classes) == "uint8" else 2
        grid = c.arena.allocate("grid", vectors.rows.count * item)
        self._constants(network.mask_norm, self.at.mask_norm, 1, classes)
        self._parameter(network.masks)
        pitch = padded(2 * classes, 16)
        for start, rows in c.some(self._parts(x, vectors.rows, pieces.rows)):
            row = start - vectors.rows.start
            vector = c.arena.allocate("patch vectors", rows * stride, apart=kernels.name)
            self._project(x, start, rows, vectors, self.at.proj_patch, vector, stride)
            masks = c.arena.allocate("masks", rows * pitch)
            for first, count in kernels.chunks:
                address = kernels.find(first, count)
                self._masks(vector, stride, address, masks + 2 * first, pitch, row, rows, first, count)
            self._labelled(masks, pitch, row, rows, grid + row * item, item)
            c.arena.free("masks")
            c.arena.free("patch vectors")
        kernels.free()
        self._labels(grid, item)
        c.arena.free("grid")

    def _kernels(self, x: Matrix, pieces: Pieces, dram: int) -> Kernels:
        """The class vectors: on chip, or in DRAM and buffers for some of them."""
        c, branch, packed = self.c, self.network.kernels, self.at.proj_classes
        kernels = Kernels(c, branch.linear.name, dram, branch.rows.count, packed.outputs, pieces.classes)
        whole, stride = len(kernels.chunks) == 1, kernels.stride
        if whole:
            kernels.allocate()
        self._constants(self.network.decoder_norm, self.at.decoder_norm, 0, x.columns)
        for start, rows in c.some(self._parts(x, branch.rows, pieces.rows)):
            first = start - branch.rows.start
            if whole:
                self._project(x, start, rows, branch, packed, kernels.addresses[0] + first * stride, stride)
                continue
            tile = c.arena.allocate("class tile", rows * stride)
            self._project(x, start, rows, branch, packed, tile, stride)
            kernels.store(tile, first, rows)
            c.arena.free("class tile")
        if not whole:
            kernels.allocate()
        return kernels

    def _parts(self, x: Matrix, wanted: Rows, most: int) -> list[tuple[int, int]]:
        """The wanted rows, cut where the blocks of x are, `most` at once."""
        cut = [(max(s, wanted.start), min(s + r, wanted.stop)) for s, r in x.blocks]
        return [
            (first + start, rows)
            for first, last in cut
            if first < last
            for start, rows in row_blocks(last - first, most)
        ]

    def _project(
        self, x: Matrix, start: int, rows: int, branch: Branch, packed: Packed, target: int, stride: int
    ) -> None:
        """The decoder's last LayerNorm of some rows of x, then a branch's product, to `target`."""
        c, d, name = self.c, x.columns, branch.linear.name
        index = next(i for i, (s, r) in enumerate(x.blocks) if s <= start < s + r)
        source = c.open(x, index, load=True)
        pitch = padded(d, 16)
        normed = c.arena.allocate("normalized rows", rows * pitch)
        place = source + (start - x.blocks[index][0]) * x.stride
        norm = self.network.decoder_norm
        done = self._norm(norm, 0, place, x.stride, normed, pitch, rows, d, out16=False)
        c.probe(norm.name, Unit.LAYERNORM, done, normed, pitch, rows, d, "int8", start)
        self._cut(branch.rows.cuts, done, normed, pitch, start, rows, d)
        c.close(x, index, source, store=False)
        row = start - branch.rows.start
        for tile, tiles in c.some(c.chunks(packed, 1)):
            y = c.weights(packed, tile, tiles, name, based=False)
            column, columns = c.columns(packed, tile, tiles)
            out = target + column
            done = c.linear(name, normed, pitch, out, stride, rows, packed, y, tile, tiles, out16=False)
            c.probe(name, Unit.ARRAY, done, out, stride, rows, columns, "int8", row, column)
        c.arena.free("normalized rows")
        c.flush()

    def _masks(
        self,
        vectors: int,
        stride: int,
        kernels: int,
        out: int,
        pitch: int,
        start: int,
        rows: int,
        first: int,
        count: int,
    ) -> None:
        """Scores of some patches for `count` classes from `first` on."""
        c, network = self.c, self.network
        d, name = self.at.proj_classes.outputs, network.masks.name
        matmul = Matmul(
            vectors,
            kernels,
            out,
            rows,
            d,
            count,
            stride,
            stride,
            pitch,
            Layout.LANE_MAJOR,
            out16=True,
            param=self._index(network.masks),
        )
        reads = (
            block(vectors, stride, rows, d),
            block(kernels, stride, count, d),
            self._word(network.masks),
        )
        done = c.add(Unit.ARRAY, matmul, name, reads, (block(out, pitch, rows, 2 * count),))
        c.probe(name, Unit.ARRAY, done, out, pitch, rows, count, "int16", start, first)

    def _labelled(self, masks: int, pitch: int, start: int, rows: int, labels: int, item: int) -> None:
        """Scores of some patches to their labels."""
        c, norm, classes = self.c, self.network.mask_norm, self.network.kernels.rows.count
        done = self._norm(norm, 1, masks, pitch, masks, pitch, rows, classes, out16=True)
        c.probe(norm.name, Unit.LAYERNORM, done, masks, pitch, rows, classes, "int16", start)
        argmax = Argmax(masks, labels, rows, classes, pitch, wide=item == 2)
        c.add(
            Unit.ELEMENTWISE,
            argmax,
            self.network.grid.name,
            (block(masks, pitch, rows, 2 * classes),),
            (Access(Space.SCRATCHPAD, labels, labels + rows * item),),
        )

    def _labels(self, grid: int, item: int) -> None:
        """Every row of patch labels widened, then stored as often as a patch has lines."""
        c, grid_node, labels = self.c, self.network.grid, self.network.labels
        down, across = grid_node.integer("height"), grid_node.integer("width")
        patch, height, width = (labels.integer(key) for key in ("patch", "height", "width"))
        lines = [c.arena.allocate(f"line {turn}", padded(across * patch * item, 16)) for turn in range(2)]
        for row in c.some(range(down)):
            line = lines[row % 2]
            source = grid + row * across * item
            expand = Expand(source, line, 1, across, 0, 0, patch, wide=item == 2)
            read = (Access(Space.SCRATCHPAD, source, source + across * item),)
            write = Access(Space.SCRATCHPAD, line, line + across * patch * item)
            c.add(Unit.ELEMENTWISE, expand, labels.name, read, (write,))
            count = min(patch, height - row * patch)
            target = self.at.labels + row * patch * width * item
            store = Store(target, line, width * item, count, 1, width * item, 0, 0, 0)
            c.add(Unit.STORE, store, labels.name, (write,))
        for turn in range(2):
            c.arena.free(f"line {turn}")
