"""Attention as instructions: one head after another, in blocks of queries.

Of q, k and v only one head's exist; scores and probabilities never leave the chip. While Shiftmax
works on one block the array is at another. Where q, k and v of a head find no room, `streamed.py` has
another way.
"""

from __future__ import annotations

from intarsia.emu.compile.streamed import Streamed
from intarsia.emu.compile.view import View


class Attention(Streamed):
    """norm1 to the mixed values of all heads."""

    def attention(self, heads: int | None = None) -> None:
        """norm1, and per head q, k, v, scores, probabilities and mixed values."""
        c, x, a = self.c, self.x, self.a
        c.create(a)
        self._scalars("norm1")
        self._norm_constants("norm1")
        for index in c.some(range(len(a.blocks))):
            target = c.open(a, index, load=False)
            self._norm("norm1", index, target, a.stride)
            c.close(a, index, target, store=True)
        c.flush()
        c.create(self.mix, high=True)  # it outlives the rest
        if self.plan.evict:
            c.evict(x)
        self._scalars("scores", "shiftmax", "mix")
        if self.plan.stream:
            self._streamed(heads or self.heads)
        else:
            self._whole(heads or self.heads)
        c.flush()
        c.destroy(a)
        if self.plan.evict:
            c.restore(x)

    def _whole(self, heads: int) -> None:
        """The heads, each with all its keys and values on chip."""
        c, tokens, most = self.c, self.plan.tokens, self.plan.queries
        q = c.arena.allocate("q", tokens * self.pitch)
        k = c.arena.allocate("k", tokens * self.pitch, apart="q")
        v = c.arena.allocate("v", tokens * self.pitch)
        self.qkv = q, k, v
        sizes = {"scores": most * self._score_stride, "probabilities": most * self._weight_stride}
        self.score_buffers, self.weight_buffers = (
            [c.arena.allocate(f"{name}{i}", size, apart="v") for i in range(2)]
            for name, size in sizes.items()
        )
        previous: tuple[int, int, View, int] | None = None
        turn = 0
        for head, first, start, rows in c.some(self._queries(heads)):
            if first:
                self._next_head(head, previous)
                previous = None
            queries, keys = (self.parted(address, tokens) for address in self.qkv[:2])
            block = queries[start : start + rows]
            self._scores(head, start, block, keys, self.score_buffers[turn], 0)
            p = self._shiftmax(head, start, rows, self.score_buffers[turn], self.weight_buffers[turn])
            if previous:
                self._mix(*previous)
            previous = head, start, p, turn
            turn ^= 1
        assert previous is not None
        self._mix(*previous)
        for name in ("q", "k", "v", "scores0", "scores1", "probabilities0", "probabilities1"):
            c.arena.free(name)

    def _next_head(self, head: int, previous: tuple[int, int, View, int] | None) -> None:
        """q, k and v of a head and, before v is overwritten, the last mixed values of the one before.

        With its input on chip, q and k come first: Shiftmax works on that last block meanwhile.
        """
        if self.a.resident:
            self._qkv(head, (0, 1))
        if previous:
            self._mix(*previous)
        self._qkv(head, (2,) if self.a.resident else (0, 1, 2))

    def _qkv(self, head: int, parts: tuple[int, ...]) -> None:
        """Parts of q, k, v of a head, each to where it stands whole."""
        for _ in self._projected(head, parts, lambda part, start: self.qkv[part] + start * self.pitch):
            pass

    def _mix(self, head: int, start: int, p: View, turn: int) -> None:
        """The mixed values of a query block."""
        name, v = f"mixed tile {turn}", self.parted(self.qkv[2], self.plan.tokens)
        if self.mix.resident:
            self._mixed(head, start, p, v, self._mixed_view(head, start, p.rows), 0)
            return
        out = self.parted(self.c.arena.allocate(name, p.rows * self.pitch), p.rows)
        self._mixed(head, start, p, v, out, 0)
        self._store_tile(head, start, out)
        self.c.arena.free(name)
