"""Decoder outputs to class scores, argmax and labels."""

from __future__ import annotations

from emu.compile.context import Matrix
from emu.compile.emitter import Access, block
from emu.compile.global_part import GlobalPart
from emu.compile.layout import Packed, padded
from emu.compile.pattern import Branch, Rows
from emu.isa import Argmax, Expand, Layout, Matmul, Space, Store, Unit
from model.integer.operators import label_dtype


class Head(GlobalPart):
    """The decoder's last LayerNorm to the labels in DRAM."""

    def head(self, x: Matrix) -> None:
        """Class scores, argmax and labels of x."""
        c, network = self.c, self.network
        vectors, kernels = network.vectors, network.kernels
        classes = kernels.rows.count
        stride = padded(self.at.proj_classes.outputs, 16)
        kernel = c.arena.allocate("class vectors", classes * stride)
        self._constants(network.decoder_norm, self.at.decoder_norm, 0, x.columns)
        for start, rows in self._parts(x, kernels.rows):
            target = kernel + (start - kernels.rows.start) * stride
            self._project(x, start, rows, kernels, self.at.proj_classes, target, stride)
        item = 1 if label_dtype(classes) == "uint8" else 2
        grid = c.arena.allocate("grid", vectors.rows.count * item)
        self._constants(network.mask_norm, self.at.mask_norm, 1, classes)
        self._parameter(network.masks)
        pitch = padded(2 * classes, 16)
        for start, rows in self._parts(x, vectors.rows):
            first = start - vectors.rows.start
            vector = c.arena.allocate("patch vectors", rows * stride)
            self._project(x, start, rows, vectors, self.at.proj_patch, vector, stride)
            masks = c.arena.allocate("masks", rows * pitch)
            self._masks(vector, stride, kernel, masks, pitch, first, rows, grid + first * item, item)
            c.arena.free("masks")
            c.arena.free("patch vectors")
        c.arena.free("class vectors")
        self._labels(grid, item)
        c.arena.free("grid")

    def _parts(self, x: Matrix, wanted: Rows) -> list[tuple[int, int]]:
        """The wanted rows, cut where the blocks of x are."""
        cut = [(max(s, wanted.start), min(s + r, wanted.stop)) for s, r in x.blocks]
        return [(first, last - first) for first, last in cut if first < last]

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
        for tile, tiles in c.chunks(packed, 16):
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
        masks: int,
        pitch: int,
        start: int,
        rows: int,
        labels: int,
        item: int,
    ) -> None:
        c, network = self.c, self.network
        d, classes, name = self.at.proj_classes.outputs, network.kernels.rows.count, network.masks.name
        matmul = Matmul(
            vectors,
            kernels,
            masks,
            rows,
            d,
            classes,
            stride,
            stride,
            pitch,
            Layout.LANE_MAJOR,
            out16=True,
            param=self._index(network.masks),
        )
        where = block(masks, pitch, rows, 2 * classes)
        reads = (
            block(vectors, stride, rows, d),
            block(kernels, stride, classes, d),
            self._word(network.masks),
        )
        done = c.add(Unit.ARRAY, matmul, name, reads, (where,))
        c.probe(name, Unit.ARRAY, done, masks, pitch, rows, classes, "int16", start)
        norm = network.mask_norm
        done = self._norm(norm, 1, masks, pitch, masks, pitch, rows, classes, out16=True)
        c.probe(norm.name, Unit.LAYERNORM, done, masks, pitch, rows, classes, "int16", start)
        argmax = Argmax(masks, labels, rows, classes, pitch, wide=item == 2)
        c.add(
            Unit.ELEMENTWISE,
            argmax,
            network.grid.name,
            (where,),
            (Access(Space.SCRATCHPAD, labels, labels + rows * item),),
        )

    def _labels(self, grid: int, item: int) -> None:
        """Every row of patch labels widened, then stored as often as a patch has lines."""
        c, grid_node, labels = self.c, self.network.grid, self.network.labels
        down, across = grid_node.integer("height"), grid_node.integer("width")
        patch, height, width = (labels.integer(key) for key in ("patch", "height", "width"))
        lines = [c.arena.allocate(f"line {turn}", padded(across * patch * item, 16)) for turn in range(2)]
        for row in range(down):
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
