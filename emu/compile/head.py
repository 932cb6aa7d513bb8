"""Decoder outputs to class scores, argmax and labels."""

from __future__ import annotations

from emu.compile.context import Matrix
from emu.compile.emitter import Access, block
from emu.compile.global_part import GlobalPart
from emu.compile.layout import Packed, padded
from emu.isa import Argmax, Expand, Layout, Matmul, Space, Store, Unit
from model.integer.graph import GRID, LABELS, MASKS
from model.integer.operators import label_dtype


class Head(GlobalPart):
    """decoder.norm to the labels in DRAM."""

    def head(self, x: Matrix) -> None:
        """Class scores, argmax and labels of x."""
        c, config = self.c, self.config
        patches, classes = config.patches, config.classes
        stride = padded(x.columns, 16)
        kernels = c.arena.allocate("class vectors", classes * stride)
        self._constants("decoder.norm", self.at.decoder_norm, 0, x.columns)
        for start, rows in ((s, r) for s, r in self._parts(x, patches, patches + classes)):
            self._project(
                x,
                start,
                rows,
                "decoder.classes",
                "decoder.proj_classes",
                self.at.proj_classes,
                kernels + (start - patches) * stride,
                stride,
                patches,
            )
        item = 1 if label_dtype(classes) == "uint8" else 2
        grid = c.arena.allocate("grid", patches * item)
        self._constants(MASKS, self.at.mask_norm, 1, classes)
        self._parameter("decoder.masks")
        pitch = padded(2 * classes, 16)
        for start, rows in self._parts(x, 0, patches):
            vectors = c.arena.allocate("patch vectors", rows * stride)
            self._project(
                x,
                start,
                rows,
                "decoder.patches",
                "decoder.proj_patch",
                self.at.proj_patch,
                vectors,
                stride,
                0,
            )
            masks = c.arena.allocate("masks", rows * pitch)
            self._masks(vectors, stride, kernels, masks, pitch, start, rows, grid + start * item, item)
            c.arena.free("masks")
            c.arena.free("patch vectors")
        c.arena.free("class vectors")
        self._labels(grid, item)
        c.arena.free("grid")

    def _parts(self, x: Matrix, low: int, high: int) -> list[tuple[int, int]]:
        """The rows low..high, cut where the blocks of x are."""
        cut = [(max(s, low), min(s + r, high)) for s, r in x.blocks]
        return [(first, last - first) for first, last in cut if first < last]

    def _project(
        self,
        x: Matrix,
        start: int,
        rows: int,
        slice_name: str,
        name: str,
        packed: Packed,
        target: int,
        stride: int,
        origin: int,
    ) -> None:
        """decoder.norm of some rows of x, then a D x D product, to `target`.

        origin: first row of the slice.
        """
        c, d = self.c, x.columns
        index = next(i for i, (s, r) in enumerate(x.blocks) if s <= start < s + r)
        source = c.open(x, index, load=True)
        normed = c.arena.allocate("normalized rows", rows * stride)
        place = source + (start - x.blocks[index][0]) * x.stride
        done = self._norm("decoder.norm", 0, place, x.stride, normed, stride, rows, d, out16=False)
        where = (Unit.LAYERNORM, done, normed, stride, rows, d, "int8")
        c.probe("decoder.norm", *where, start)
        c.probe(slice_name, *where, start - origin)
        c.close(x, index, source, store=False)
        for tile, tiles in c.chunks(packed, 16):
            y = c.weights(packed, tile, tiles, name, based=False)
            column, columns = c.columns(packed, tile, tiles)
            done = c.linear(
                name, normed, stride, target + column, stride, rows, packed, y, tile, tiles, out16=False
            )
            c.probe(
                name,
                Unit.ARRAY,
                done,
                target + column,
                stride,
                rows,
                columns,
                "int8",
                start - origin,
                column,
            )
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
        c, d, classes = self.c, self.config.embed, self.config.classes
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
            param=self._index("decoder.masks"),
        )
        where = block(masks, pitch, rows, 2 * classes)
        reads = (
            block(vectors, stride, rows, d),
            block(kernels, stride, classes, d),
            self._word("decoder.masks"),
        )
        done = c.add(Unit.ARRAY, matmul, "decoder.masks", reads, (where,))
        c.probe("decoder.masks", Unit.ARRAY, done, masks, pitch, rows, classes, "int16", start)
        done = self._norm(MASKS, 1, masks, pitch, masks, pitch, rows, classes, out16=True)
        c.probe(MASKS, Unit.LAYERNORM, done, masks, pitch, rows, classes, "int16", start)
        argmax = Argmax(masks, labels, rows, classes, pitch, wide=item == 2)
        c.add(
            Unit.ELEMENTWISE,
            argmax,
            GRID,
            (where,),
            (Access(Space.SCRATCHPAD, labels, labels + rows * item),),
        )

    def _labels(self, grid: int, item: int) -> None:
        """Every row of patch labels widened, then stored as often as a patch has lines."""
        c, patch = self.c, self.config.patch
        (down, across), (height, width) = self.config.grid, self.config.image
        lines = [c.arena.allocate(f"line {turn}", padded(across * patch * item, 16)) for turn in range(2)]
        for row in range(down):
            line = lines[row % 2]
            source = grid + row * across * item
            expand = Expand(source, line, 1, across, 0, 0, patch, wide=item == 2)
            read = (Access(Space.SCRATCHPAD, source, source + across * item),)
            write = Access(Space.SCRATCHPAD, line, line + across * patch * item)
            c.add(Unit.ELEMENTWISE, expand, LABELS, read, (write,))
            count = min(patch, height - row * patch)
            target = self.at.labels + row * patch * width * item
            store = Store(target, line, width * item, count, 1, width * item, 0, 0, 0)
            c.add(Unit.STORE, store, LABELS, (write,))
        for turn in range(2):
            c.arena.free(f"line {turn}")
