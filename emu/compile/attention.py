"""Attention as instructions: one head after another, in blocks of queries.

Of q, k and v only one head's exist; scores and probabilities never leave the chip. While Shiftmax
works on one block the array is at another.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.compile.block import PARAMETERS, BlockPart
from emu.compile.context import row_blocks
from emu.compile.emitter import block
from emu.compile.layout import Packed, padded
from emu.isa import Layout as Order
from emu.isa import Matmul, Shiftmax, Store, Unit


class Attention(BlockPart):
    """norm1 to the mixed values of all heads."""

    def attention(self, heads: int | None = None) -> None:
        """norm1, and per head q, k, v, scores, probabilities and mixed values."""
        c, x, a = self.c, self.x, self.a
        c.create(a)
        self._scalars("norm1")
        self._norm_constants("norm1")
        for index in range(len(a.blocks)):
            target = c.open(a, index, load=False)
            self._norm("norm1", index, target, a.stride)
            c.close(a, index, target, store=True)
        c.flush()
        c.create(self.mix, high=True)  # it outlives the rest
        if self.plan.evict:
            c.evict(x)
        self._scalars("scores", "shiftmax", "mix")
        tokens = self.plan.tokens
        self.qkv = tuple(c.arena.allocate(key, tokens * self.pitch) for key in "qkv")
        bits16 = self.nodes["shiftmax"].integer("out_bits") == 16
        self.score_stride = padded(tokens, 16)
        self.weight_stride = padded(tokens * (1 + bits16), 16)
        queries = self.plan.queries
        self.score_buffers = [c.arena.allocate(f"scores{i}", queries * self.score_stride) for i in range(2)]
        self.weight_buffers = [
            c.arena.allocate(f"probabilities{i}", queries * self.weight_stride) for i in range(2)
        ]
        previous: tuple[int, int, int, int] | None = None
        turn = 0
        for head, first, start, rows in self._queries(heads or self.heads):
            if first:
                self._next_head(head, previous)
                previous = None
            self._scores(head, start, rows, turn)
            self._shiftmax(head, start, rows, turn)
            if previous:
                self._mix(*previous)
            previous = head, start, rows, turn
            turn ^= 1
        assert previous is not None
        self._mix(*previous)
        for name in ("q", "k", "v", "scores0", "scores1", "probabilities0", "probabilities1"):
            c.arena.free(name)
        c.flush()
        c.destroy(a)
        if self.plan.evict:
            c.restore(x)

    def _queries(self, heads: int) -> Iterator[tuple[int, bool, int, int]]:
        """(head, whether its first, first row, rows) of every query block; none spans two row blocks."""
        for head in range(heads):
            for start, rows in self.a.blocks:
                for offset, count in row_blocks(rows, self.plan.queries):
                    yield head, start + offset == 0, start + offset, count

    def _next_head(self, head: int, previous: tuple[int, int, int, int] | None) -> None:
        """q, k and v of a head and, before v is overwritten, the last mixed values of the one before.

        With its input on chip, q and k come first: Shiftmax works on that last block meanwhile.
        """
        if self.a.resident:
            self._qkv(head, (0, 1))
        if previous:
            self._mix(*previous)
        self._qkv(head, (2,) if self.a.resident else (0, 1, 2))

    def _qkv(self, head: int, parts: tuple[int, ...]) -> None:
        """Parts of q, k, v of a head: as many tiles at once as half the stationary buffer holds."""
        c, a = self.c, self.a
        label = self.labels["qkv"]
        for pieces in self._qkv_pieces(head, parts):
            placed = c.weight_pieces(
                [(packed, first, tiles) for _, packed, first, tiles in pieces], label, based=True
            )
            for index, (start, rows) in enumerate(a.blocks):
                source = c.open(a, index, load=True)
                for y, (part, packed, first, tiles) in zip(placed, pieces, strict=True):
                    column, columns = c.columns(packed, first, tiles)
                    out = self.qkv[part] + start * self.pitch + column
                    done = c.linear(
                        label, source, a.stride, out, self.pitch, rows, packed, y, first, tiles, out16=False
                    )
                    columns = min(columns, self.width - column)
                    column += (part * self.heads + head) * self.width
                    c.probe(label, Unit.ARRAY, done, out, self.pitch, rows, columns, "int8", start, column)
                c.close(a, index, source, store=False)

    def _qkv_pieces(self, head: int, parts: tuple[int, ...]) -> list[list[tuple[int, Packed, int, int]]]:
        """(part, weight, first tile, tiles) in groups that fit half the stationary buffer."""
        groups: list[list[tuple[int, Packed, int, int]]] = []
        room = 0
        for part in parts:
            packed = self.constants.qkv[head][part]
            for first, tiles in self.c.chunks(packed, 16):
                size = tiles * packed.tile_bytes
                if size > room:
                    groups.append([])
                    room = self.c.machine.stationary_bytes // 2
                groups[-1].append((part, packed, first, tiles))
                room -= size
        return groups

    def _scores(self, head: int, start: int, rows: int, turn: int) -> None:
        c, tokens = self.c, self.plan.tokens
        q, k = self.qkv[0] + start * self.pitch, self.qkv[1]
        target = self.score_buffers[turn]
        label = self.labels["scores"]
        matmul = Matmul(
            q,
            k,
            target,
            rows,
            self.width,
            tokens,
            self.pitch,
            self.pitch,
            self.score_stride,
            Order.LANE_MAJOR,
            param=PARAMETERS.index("scores"),
        )
        reads = (
            block(q, self.pitch, rows, self.width),
            block(k, self.pitch, tokens, self.width),
            self._word("scores"),
        )
        done = c.add(Unit.ARRAY, matmul, label, reads, (block(target, self.score_stride, rows, tokens),))
        c.probe(label, Unit.ARRAY, done, target, self.score_stride, rows, tokens, "int8", start, 0, head)

    def _shiftmax(self, head: int, start: int, rows: int, turn: int) -> None:
        c, tokens, label = self.c, self.plan.tokens, self.labels["shiftmax"]
        source, target = self.score_buffers[turn], self.weight_buffers[turn]
        narrow = self.nodes["shiftmax"].integer("out_bits") == 8
        word = PARAMETERS.index("shiftmax")
        instruction = Shiftmax(
            source, target, rows, tokens, self.score_stride, self.weight_stride, word, out8=narrow
        )
        reads = (block(source, self.score_stride, rows, tokens), self._word("shiftmax"))
        width = tokens * (1 if narrow else 2)
        written = (block(target, self.weight_stride, rows, width),)
        done = c.add(Unit.SHIFTMAX, instruction, label, reads, written)
        dtype = "int8" if narrow else "int16"
        c.probe(label, Unit.SHIFTMAX, done, target, self.weight_stride, rows, tokens, dtype, start, 0, head)

    def _mix(self, head: int, start: int, rows: int, turn: int) -> None:
        c, mix, tokens = self.c, self.mix, self.plan.tokens
        p = self.weight_buffers[turn]
        v = self.qkv[2]
        wide = self.nodes["shiftmax"].integer("out_bits") == 16
        label = self.labels["mix"]
        index = next(i for i, (first, count) in enumerate(mix.blocks) if first <= start < first + count)
        if mix.resident:
            stride = mix.stride
            out = mix.addresses[index] + (start - mix.blocks[index][0]) * stride + head * self.pitch
        else:
            stride = self.pitch
            name = f"mixed tile {turn}"
            out = c.arena.allocate(name, rows * stride)
        matmul = Matmul(
            p,
            v,
            out,
            rows,
            tokens,
            self.pitch,
            self.weight_stride,
            self.pitch,
            stride,
            Order.DEPTH_MAJOR,
            x16=wide,
            param=PARAMETERS.index("mix"),
        )
        reads = (
            block(p, self.weight_stride, rows, tokens * (1 + wide)),
            block(v, self.pitch, tokens, self.pitch),
            self._word("mix"),
        )
        done = c.add(Unit.ARRAY, matmul, label, reads, (block(out, stride, rows, self.pitch),))
        c.probe(label, Unit.ARRAY, done, out, stride, rows, self.width, "int8", start, head * self.width)
        if not mix.resident:
            self._store_tile(head, start, rows, index, out)
            c.arena.free(name)

    def _store_tile(self, head: int, start: int, rows: int, index: int, address: int) -> None:
        c, mix = self.c, self.mix
        assert mix.dram is not None
        store = Store(
            mix.dram + start * mix.stride + head * self.pitch,
            address,
            self.pitch,
            rows,
            1,
            mix.stride,
            0,
            self.pitch,
            0,
        )
        read = (block(address, self.pitch, rows, self.pitch),)
        c.add(Unit.STORE, store, self.labels["mix"], read, (), (), ((mix.name, index),))
