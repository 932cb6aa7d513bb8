"""Pixels to tokens, and encoder outputs to decoder tokens."""

from __future__ import annotations

from intarsia.arch.isa import Load, Lookup, Residual, Space, Unit
from intarsia.arch.machine import TABLE_BYTES
from intarsia.emu.compile.context import Matrix
from intarsia.emu.compile.emitter import Access, block
from intarsia.emu.compile.global_part import GlobalPart
from intarsia.emu.compile.layout import padded
from intarsia.model.integer.graph import IMAGE


class Embedding(GlobalPart):
    """The residual of the encoder, then that of the decoder."""

    def embed(self, x: Matrix) -> None:
        """Pixels to tokens plus position, in x."""
        network = self.network
        self.c.load(Space.TABLE, 0, self.at.table, TABLE_BYTES, network.pixels.name, based=False)
        self._parameter(network.embedding)
        for group in self.c.some(self._fitting(x, lambda group: self._embed(x, group))):
            self._embed(x, group)

    def _embed(self, x: Matrix, group: range) -> None:
        c, packed, network = self.c, self.at.patch_embed, self.network
        label, tokens = network.patch_embed.name, network.tokens.name
        width = packed.inputs
        stride = padded(width, 16)
        held = {i: c.open(x, i, load=False) for i in group}
        pixels = {}
        for i in group:
            first, count = self._patches(x, i)
            if count:
                pixels[i] = c.arena.allocate(f"pixels[{i}]", count * stride)
                self._pixels(pixels[i], stride, first, count)
        for tile, tiles in c.some(c.chunks(packed, 2)):
            y = c.weights(packed, tile, tiles, label, based=False)
            for i in pixels:
                first, count = self._patches(x, i)
                column, columns = c.columns(packed, tile, tiles)
                row = first + self.first_patch
                out = held[i] + (row - x.blocks[i][0]) * x.stride + 2 * column
                done = c.linear(
                    label,
                    pixels[i],
                    stride,
                    out,
                    x.stride,
                    count,
                    packed,
                    y,
                    tile,
                    tiles,
                    out16=True,
                )
                where = (Unit.ARRAY, done, out, x.stride, count, columns, "int16")
                c.probe(label, *where, first, column)
                c.probe(tokens, *where, row, column)
        for i in pixels:
            c.arena.free(f"pixels[{i}]")
        for i in group:
            start, rows = x.blocks[i]
            count = min(start + rows, self.first_patch) - start
            if count > 0:
                dram = self.at.cls_token + start * 2 * x.columns
                done = self._rows(dram, held[i], count, x, tokens)
                c.probe(tokens, Unit.LOAD, done, held[i], x.stride, count, x.columns, "int16", start)
        size = x.blocks[0][1] * x.stride
        position = [c.arena.allocate(f"position[{turn}]", size, apart=x.name) for turn in range(2)]
        for turn, i in enumerate(group):
            start, rows = x.blocks[i]
            source = position[turn % 2]
            dram = self.at.position + start * 2 * x.columns
            self._rows(dram, source, rows, x, network.embedding.name)
            self._sum(source, held[i], x, start, rows)
            c.close(x, i, held[i], store=True)
        for turn in range(2):
            c.arena.free(f"position[{turn}]")
        c.flush()

    @property
    def first_patch(self) -> int:
        """The token of patch 0: behind the class token, or whatever else is prepended."""
        return self.network.rows(self.network.tokens) - self.network.rows(self.network.patch_embed)

    def _patches(self, x: Matrix, index: int) -> tuple[int, int]:
        """First patch and number of patches of a block of tokens."""
        start, rows = x.blocks[index]
        first = max(start, self.first_patch)
        return first - self.first_patch, max(start + rows - first, 0)

    def _pixels(self, target: int, stride: int, first: int, count: int) -> None:
        """LOAD patches first..first+count, one piece per row of patches, and look them up."""
        c, label = self.c, self.network.pixels.name
        patch, width = self.network.pixels.integer("patch"), self.network.tensors[IMAGE].shape[1]
        across = -(-width // patch)
        line = across * patch * 3
        done = 0
        while done < count:
            row, column = divmod(first + done, across)
            piece = min(across - column, count - done)
            source = self.at.image + row * patch * line + column * patch * 3
            address = target + done * stride
            load = Load(
                source,
                Space.SCRATCHPAD,
                address,
                patch * 3,
                patch,
                piece,
                line,
                patch * 3,
                patch * 3,
                stride,
            )
            c.add(Unit.LOAD, load, label, (), (block(address, stride, piece, stride),))
            done += piece
        where = block(target, stride, count, patch * patch * 3)
        lookup = Lookup(target, target, count, patch * patch * 3, stride, stride)
        number = c.add(
            Unit.ELEMENTWISE, lookup, label, (where, Access(Space.TABLE, 0, TABLE_BYTES)), (where,)
        )
        c.probe(label, Unit.ELEMENTWISE, number, target, stride, count, patch * patch * 3, "int8", first)

    def _sum(self, position: int, address: int, x: Matrix, start: int, rows: int) -> None:
        c, node = self.c, self.network.embedding
        where = block(address, x.stride, rows, 2 * x.columns)
        reads = (where, block(position, x.stride, rows, 2 * x.columns), self._word(node))
        residual = Residual(
            address, position, address, rows, x.columns, x.stride, x.stride, x.stride, self._index(node)
        )
        done = c.add(Unit.ELEMENTWISE, residual, node.name, reads, (where,))
        c.probe(node.name, Unit.ELEMENTWISE, done, address, x.stride, rows, x.columns, "int16", start)

    def encoder_norm(self, x: Matrix, a: Matrix) -> None:
        """The encoder's last LayerNorm, x to a."""
        norm, cuts = self.network.encoder_norm, self.network.patches.cuts
        self._constants(norm, self.at.encoder_norm, 0, x.columns)
        for i, (start, rows) in self.c.some(enumerate(x.blocks)):
            source = self.c.open(x, i, load=True)
            # On chip a is one piece, because the patches begin in the middle of its blocks.
            target = a.addresses[0] + start * a.stride if a.resident else self.c.open(a, i, load=False)
            done = self._norm(norm, 0, source, x.stride, target, a.stride, rows, x.columns, out16=False)
            self.c.probe(norm.name, Unit.LAYERNORM, done, target, a.stride, rows, x.columns, "int8", start)
            self._cut(cuts, done, target, a.stride, start, rows, x.columns)
            self.c.close(x, i, source, store=False)
            if not a.resident:
                self.c.close(a, i, target, store=True)
        self.c.flush()

    def decoder_tokens(self, a: Matrix, x: Matrix) -> None:
        """proj_dec of the patches (rows of a) and the class embeddings, in x."""
        for group in self.c.some(self._fitting(x, lambda group: self._decoder_tokens(a, x, group))):
            self._decoder_tokens(a, x, group)

    def _decoder_tokens(self, a: Matrix, x: Matrix, group: range) -> None:
        c, packed, patches = self.c, self.at.proj_dec, self.network.patches.count
        label, tokens = self.network.proj_dec.name, self.network.decoder_tokens.name
        held = {i: c.open(x, i, load=False) for i in group}
        pieces = [
            (i, row, piece)
            for i in group
            for row, piece in self._pieces(a, x.blocks[i][0], min(x.blocks[i][1], patches - x.blocks[i][0]))
        ]
        for tile, tiles in c.some(c.chunks(packed, 2)):
            y = c.weights(packed, tile, tiles, label, based=False)
            column, columns = c.columns(packed, tile, tiles)
            for i, row, (index, offset, rows) in pieces:
                source = c.open(a, index, load=True)
                out = held[i] + (row - x.blocks[i][0]) * x.stride + 2 * column
                done = c.linear(
                    label,
                    source + offset * a.stride,
                    a.stride,
                    out,
                    x.stride,
                    rows,
                    packed,
                    y,
                    tile,
                    tiles,
                    out16=True,
                )
                where = (Unit.ARRAY, done, out, x.stride, rows, columns, "int16", row, column)
                c.probe(label, *where)
                c.probe(tokens, *where)
                c.close(a, index, source, store=False)
        for i in group:
            start, rows = x.blocks[i]
            first = max(start, patches)
            if first < start + rows:
                address = held[i] + (first - start) * x.stride
                dram = self.at.class_embedding + (first - patches) * 2 * x.columns
                done = self._rows(dram, address, start + rows - first, x, tokens)
                c.probe(
                    tokens,
                    Unit.LOAD,
                    done,
                    address,
                    x.stride,
                    start + rows - first,
                    x.columns,
                    "int16",
                    first,
                )
            c.close(x, i, held[i], store=True)
        c.flush()

    def _pieces(self, a: Matrix, start: int, count: int) -> list[tuple[int, tuple[int, int, int]]]:
        """Patch rows start..start+count as (patch, (block of a, row in it, rows))."""
        found, offset = [], self.network.patches.start
        for index, (first, rows) in enumerate(a.blocks):
            low, high = max(first, start + offset), min(first + rows, start + count + offset)
            if low < high:
                found.append((low - offset, (index, low - first, high - low)))
        return found
