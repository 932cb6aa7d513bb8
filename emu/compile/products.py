"""The steps of attention over a block of queries: scores, probabilities, mixed values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from intarsia.arch.isa import Layout as Order
from intarsia.arch.isa import Matmul, Shiftmax, Store, Unit
from intarsia.emu.compile.block import PARAMETERS, BlockPart
from intarsia.emu.compile.context import row_blocks
from intarsia.emu.compile.emitter import block
from intarsia.emu.compile.layout import Packed, padded


@dataclass(frozen=True)
class Projected:
    """Columns column..column+columns of a row block of q (part 0), k or v, which stand at `address`."""

    part: int
    index: int
    start: int
    rows: int
    address: int
    column: int
    columns: int


class Products(BlockPart):
    """Instructions of one head; where their operands stand is up to the caller."""

    @property
    def _wide(self) -> bool:
        """Whether probabilities have 16 bits."""
        return self.nodes["shiftmax"].integer("out_bits") == 16

    @property
    def _score_stride(self) -> int:
        return padded(self.plan.tokens, 16)

    @property
    def _weight_stride(self) -> int:
        return padded(self.plan.tokens * (1 + self._wide), 16)

    def _queries(self, heads: int) -> Iterator[tuple[int, bool, int, int]]:
        """(head, whether its first, first row, rows) of every query block; none spans two row blocks."""
        for head in range(heads):
            for start, rows in self.a.blocks:
                for offset, count in row_blocks(rows, self.plan.queries):
                    yield head, start + offset == 0, start + offset, count

    def _projected(
        self, head: int, parts: tuple[int, ...], target: Callable[[int, int], int]
    ) -> Iterator[Projected]:
        """Parts of q, k, v of a head: as many tiles at once as half the stationary buffer holds.

        target(part, first row): where the rows of a block go that begins there; their stride is `pitch`.
        """
        c, a = self.c, self.a
        label = self.labels["qkv"]
        for pieces in self._qkv_pieces(head, parts):
            placed = c.weight_pieces(
                [(packed, first, tiles) for _, packed, first, tiles in pieces], label, based=True
            )
            for index, (start, rows) in c.some(enumerate(a.blocks)):
                source = c.open(a, index, load=True)
                for y, (part, packed, first, tiles) in zip(placed, pieces, strict=True):
                    column, columns = c.columns(packed, first, tiles)
                    out = target(part, start) + column
                    done = c.linear(
                        label, source, a.stride, out, self.pitch, rows, packed, y, first, tiles, out16=False
                    )
                    place = (part * self.heads + head) * self.width + column
                    shown = min(columns, self.width - column)
                    c.probe(label, Unit.ARRAY, done, out, self.pitch, rows, shown, "int8", start, place)
                    yield Projected(part, index, start, rows, out, column, columns)
                c.close(a, index, source, store=False)

    def _qkv_pieces(self, head: int, parts: tuple[int, ...]) -> list[list[tuple[int, Packed, int, int]]]:
        """(part, weight, first tile, tiles) in groups that fit half the stationary buffer."""
        groups: list[list[tuple[int, Packed, int, int]]] = []
        room = 0
        for part in parts:
            packed = self.constants.qkv[head][part]
            for first, tiles in self.c.chunks(packed, 1):
                size = tiles * packed.tile_bytes
                if size > room:
                    groups.append([])
                    room = self.c.machine.stationary_bytes // 2
                groups[-1].append((part, packed, first, tiles))
                room -= size
        return groups

    def _scores(
        self, head: int, start: int, rows: int, q: int, k: int, target: int, first: int, keys: int
    ) -> None:
        """Scores of queries start..start+rows with the `keys` keys from `first` on, in whole rows."""
        c, label = self.c, self.labels["scores"]
        stride, out = self._score_stride, target + first
        matmul = Matmul(
            q,
            k,
            out,
            rows,
            self.width,
            keys,
            self.pitch,
            self.pitch,
            stride,
            Order.LANE_MAJOR,
            param=PARAMETERS.index("scores"),
        )
        reads = (
            block(q, self.pitch, rows, self.width),
            block(k, self.pitch, keys, self.width),
            self._word("scores"),
        )
        done = c.add(Unit.ARRAY, matmul, label, reads, (block(out, stride, rows, keys),))
        c.probe(label, Unit.ARRAY, done, out, stride, rows, keys, "int8", start, first, head)

    def _shiftmax(self, head: int, start: int, rows: int, source: int, target: int) -> None:
        """Scores of some queries to probabilities."""
        c, tokens, label = self.c, self.plan.tokens, self.labels["shiftmax"]
        wide, stride = self._wide, self._weight_stride
        word = PARAMETERS.index("shiftmax")
        instruction = Shiftmax(
            source, target, rows, tokens, self._score_stride, stride, word, out8=not wide
        )
        reads = (block(source, self._score_stride, rows, tokens), self._word("shiftmax"))
        written = (block(target, stride, rows, tokens * (1 + wide)),)
        done = c.add(Unit.SHIFTMAX, instruction, label, reads, written)
        dtype = "int16" if wide else "int8"
        c.probe(label, Unit.SHIFTMAX, done, target, stride, rows, tokens, dtype, start, 0, head)

    def _mixed(
        self,
        head: int,
        start: int,
        rows: int,
        p: int,
        v: int,
        v_stride: int,
        out: int,
        stride: int,
        column: int,
        columns: int,
    ) -> None:
        """Some columns of the head's values, with what pads them, mixed for some queries.

        out: where the first of them stands.
        """
        c, tokens, wide, label = self.c, self.plan.tokens, self._wide, self.labels["mix"]
        matmul = Matmul(
            p,
            v,
            out,
            rows,
            tokens,
            columns,
            self._weight_stride,
            v_stride,
            stride,
            Order.DEPTH_MAJOR,
            x16=wide,
            param=PARAMETERS.index("mix"),
        )
        reads = (
            block(p, self._weight_stride, rows, tokens * (1 + wide)),
            block(v, v_stride, tokens, columns),
            self._word("mix"),
        )
        done = c.add(Unit.ARRAY, matmul, label, reads, (block(out, stride, rows, columns),))
        place, shown = head * self.width + column, min(columns, self.width - column)
        c.probe(label, Unit.ARRAY, done, out, stride, rows, shown, "int8", start, place)

    def _place(self, head: int, start: int) -> tuple[int, int]:
        """Row block of the mixed values that holds a query, and where the head's begin if it is on chip."""
        mix = self.mix
        index = start // mix.blocks[0][1]  # all but the last are so large
        if not mix.resident:
            return index, 0
        return index, mix.addresses[index] + (start - mix.blocks[index][0]) * mix.stride + head * self.pitch

    def _store_tile(self, head: int, start: int, rows: int, index: int, address: int) -> None:
        """STORE mixed values of a head to their columns in DRAM."""
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
