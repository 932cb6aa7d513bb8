"""The steps of attention over a block of queries: scores, probabilities, mixed values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from intarsia.arch.isa import Shiftmax
from intarsia.emu.compile.block import PARAMETERS, BlockPart
from intarsia.emu.compile.layout import Packed, padded
from intarsia.emu.compile.matrix import row_blocks
from intarsia.emu.compile.view import View


@dataclass(frozen=True)
class Projected:
    """Columns of q (part 0), k or v from `column` on, of a row block that begins with row `start`."""

    part: int
    index: int
    start: int
    view: View
    column: int


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
                    out = self.parted(target(part, start), rows)[:, column : column + columns]
                    done = c.linear(label, a.view(index, source), out, packed, y)
                    place = (part * self.heads + head) * self.width + column
                    c.probe(label, done, self._shown(out, column), start, place)
                    yield Projected(part, index, start, out, column)
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

    def parted(self, address: int, rows: int) -> View:
        """Rows of q, k or v of a head, with what pads them."""
        return View(address, self.pitch, rows, self.pitch, "int8")

    def _shown(self, view: View, column: int) -> View:
        """Columns of a head from `column` on without what pads them."""
        return view[:, : max(self.width - column, 0)]

    def _scores(self, head: int, start: int, q: View, k: View, target: int, first: int) -> None:
        """Scores of queries from `start` on with keys from `first` on, to whole rows at `target`."""
        whole = View(target, self._score_stride, q.rows, self.plan.tokens, "int8")
        out, width = whole[:, first : first + k.rows], self.width
        word = PARAMETERS.index("scores")
        done = self.c.by_rows(self.labels["scores"], q[:, :width], k[:, :width], out, word)
        self.c.probe(self.labels["scores"], done, out, start, first, head)

    def _shiftmax(self, head: int, start: int, rows: int, source: int, target: int) -> View:
        """Scores of some queries to probabilities."""
        c, tokens, label = self.c, self.plan.tokens, self.labels["shiftmax"]
        dtype = "int16" if self._wide else "int8"
        out = View(target, self._weight_stride, rows, tokens, dtype)
        word = PARAMETERS.index("shiftmax")
        size = rows, tokens, self._score_stride, out.stride
        done = c.add(Shiftmax(source, target, *size, word, out8=not self._wide), label)
        c.probe(label, done, out, start, 0, head)
        return out

    def _mixed(self, head: int, start: int, p: View, v: View, out: View, column: int) -> None:
        """Columns of the head's values from `column` on, with what pads them, mixed for some queries."""
        label = self.labels["mix"]
        done = self.c.by_columns(label, p, v, out, PARAMETERS.index("mix"))
        self.c.probe(label, done, self._shown(out, column), start, head * self.width + column)

    def _mixed_view(self, head: int, start: int, rows: int) -> View:
        """Where a head's mixed values of some queries stand on chip."""
        mix = self.mix
        index = start // mix.blocks[0][1]  # all but the last are so large
        whole, first = mix.view(index, mix.addresses[index]), start - mix.blocks[index][0]
        return whole[first : first + rows, head * self.pitch : (head + 1) * self.pitch]

    def _store_tile(self, head: int, start: int, tile: View) -> None:
        """STORE mixed values of a head to their columns in DRAM."""
        mix = self.mix
        assert mix.dram is not None
        place = mix.dram + start * mix.stride + head * self.pitch
        self.c.store_rows(tile, place, self.labels["mix"], dram_stride=mix.stride)
