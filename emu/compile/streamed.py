"""Attention whose keys and values find no room on chip: they pass through it for every block of queries.

q, k and v of a head are made once and kept in DRAM. Of k come some rows at a time and make as many
columns of the scores; Shiftmax needs whole rows. Of v come some columns at a time, of all rows, because
a product leaves the accumulators only when it is complete. What the chip holds whole is not moved.
"""

from __future__ import annotations

from intarsia.arch.isa import Load, Space, Store
from intarsia.emu.compile.buffers import Buffers
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.products import Products, Projected
from intarsia.emu.compile.view import View

PARTS = ("q", "k", "v")
PARTS_KEPT = 2 * len(PARTS)
"""Tensors of a head that DRAM has room for: heads take turns."""


class Streamed(Products):
    """All heads of a block, one after another."""

    def _streamed(self, heads: int) -> None:
        for head in range(heads):
            self._head(head)

    def _head(self, head: int) -> None:
        c, plan, stream = self.c, self.plan, self.plan.stream
        assert stream is not None
        tokens, queries, count = plan.tokens, plan.queries, stream.buffers
        # In lines of 16 columns: what pads the values is there too.
        values = padded(stream.values, 16)
        self.value_chunks = [
            (column, min(values, self.pitch - column)) for column in range(0, self.pitch, values)
        ]
        self.key_chunks = [
            (first, min(stream.keys, tokens - first)) for first in range(0, tokens, stream.keys)
        ]
        held: list[str] = []

        def buffers(name: str, size: int, turns: int, apart: str = "") -> Buffers:
            names = [f"{name}[{turn}]" for turn in range(turns)]
            held.extend(names)
            return Buffers([c.arena.allocate(one, size, apart=apart) for one in names])

        # Those that hold all there is come first: they are filled while q and the others are made.
        self.keys = buffers("k", min(stream.keys, tokens) * self.pitch, min(count, len(self.key_chunks)))
        value_turns = min(count, len(self.value_chunks))
        self.values = buffers("v", tokens * self.value_chunks[0][1], value_turns)
        self._make(head)
        q = buffers("q", queries * self.pitch, count, apart="k")
        scores = buffers("scores", queries * self._score_stride, count)
        weights = buffers("probabilities", queries * self._weight_stride, count, apart="v")
        waiting: tuple[int, int, View] | None = None
        for number, (_, _, start, rows) in enumerate(c.some(self._queries(1))):
            source, target = scores.find(number)[0], weights.find(number)[0]
            self._all_scores(head, number, start, self.parted(q.find(number)[0], rows), source)
            p = self._shiftmax(head, start, rows, source, target)
            # With buffers for two blocks Shiftmax works on this one while the array is at the one before.
            if waiting:
                self._mix_streamed(head, *waiting)
            waiting = number, start, p
            if count == 1:
                self._mix_streamed(head, *waiting)
                waiting = None
        if waiting:
            self._mix_streamed(head, *waiting)
        for name in held:
            c.arena.free(name)

    def _make(self, head: int) -> None:
        """q, k and v of a head to DRAM, but what the chip holds whole."""
        c = self.c
        whole = {1: self.keys, 2: self.values}
        chunks = {1: self.key_chunks, 2: self.value_chunks}
        there = {part: whole[part].find(0)[0] for part in whole if len(chunks[part]) == 1}
        most = max(rows for _, rows in self.a.blocks)
        names = [f"projected[{turn}]" for turn in range(2)]
        tiles = [c.arena.allocate(name, most * self.pitch) for name in names]
        turn = 0

        def target(part: int, start: int) -> int:
            return there[part] + start * self.pitch if part in there else tiles[turn]

        for made in self._projected(head, (0, 1, 2), target):
            if made.part not in there:
                self._keep(head, made)
                turn ^= 1
        c.flush()
        for name in names:
            c.arena.free(name)

    def _keep(self, head: int, made: Projected) -> None:
        """STORE columns of q, k or v of some rows."""
        c, view, end = self.c, made.view, made.column + made.view.columns
        cuts = self.value_chunks if made.part == 2 else [(0, self.width)]
        for number, (column, columns) in enumerate(cuts):
            low, high = max(made.column, column), min(end, column + columns)
            if low >= high:
                continue
            dram, stride = self._spilled(head, made.part, number)
            part = view[:, low - made.column : high - made.column]
            target = dram + made.start * stride + low - column
            store = Store(target, part.address, high - low, part.rows, 1, stride, 0, self.pitch, 0)
            if high - low == stride == self.pitch:
                store = Store(target, part.address, part.rows * stride)
            c.add(store, self.labels["qkv"])

    def _spilled(self, head: int, part: int, chunk: int) -> tuple[int, int]:
        """DRAM address and stride of q, of k, or of a chunk of columns of v."""
        tokens, stride = self.plan.tokens, self.pitch
        size = tokens * self.pitch
        before = 0
        if part == 2:
            stride = self.value_chunks[chunk][1]
            before = tokens * self.value_chunks[chunk][0]
        return self.spill.get("qkv", 0) + (2 * part + head % 2) * size + before, stride

    def _bring(
        self, head: int, part: int, chunk: int, start: int, rows: int, columns: int, address: int
    ) -> None:
        """LOAD rows of q, of k, or of a chunk of columns of v."""
        dram, stride = self._spilled(head, part, chunk)
        place = dram + start * stride
        load = Load(place, Space.SCRATCHPAD, address, columns, rows, 1, stride, 0, stride, 0)
        if columns == stride:
            load = Load(place, Space.SCRATCHPAD, address, rows * stride)
        self.c.add(load, self.labels["qkv"])

    def _all_scores(self, head: int, number: int, start: int, q: View, target: int) -> None:
        self._bring(head, 0, 0, start, q.rows, self.width, q.address)
        for chunk in self.c.some(_back_and_forth(len(self.key_chunks), number)):
            first, keys = self.key_chunks[chunk]
            k, there = self.keys.find(chunk)
            if not there:
                self._bring(head, 1, 0, first, keys, self.width, k)
            self._scores(head, start, q, self.parted(k, keys), target, first)

    def _mix_streamed(self, head: int, number: int, start: int, p: View) -> None:
        c, name = self.c, f"mixed tile {number % 2}"
        if self.mix.resident:
            out = self._mixed_view(head, start, p.rows)
        else:
            out = self.parted(c.arena.allocate(name, p.rows * self.pitch), p.rows)
        for chunk in _back_and_forth(len(self.value_chunks), number):
            column, columns = self.value_chunks[chunk]
            v, there = self.values.find(chunk)
            if not there:
                self._bring(head, 2, chunk, 0, self.plan.tokens, columns, v)
            values = View(v, columns, self.plan.tokens, columns, "int8")
            self._mixed(head, start, p, values, out[:, column : column + columns], column)
        if not self.mix.resident:
            self._store_tile(head, start, out)
            c.arena.free(name)


def _back_and_forth(count: int, turn: int) -> range:
    """0..count, every second time from the end: what was last is still there."""
    return range(count - 1, -1, -1) if turn % 2 else range(count)
