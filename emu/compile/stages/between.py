"""What is between two stacks: the last LayerNorm of one, and the tokens of the next.

    layernorm -> rows -> linear -> tokens (`tokens.py`)

All of the first stack has to be normalized before the second can begin, so these are two segments.
"""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.emu.compile.context import Context
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.part import Part
from intarsia.emu.compile.stages.stage import Stage
from intarsia.emu.compile.stages.tokens import Tokens, TokensPart
from intarsia.emu.compile.walk import Normed, Walk
from intarsia.model.integer.graph import Node


@dataclass(frozen=True)
class Between(Stage):
    """`normed`: the rows of the LayerNorm that go on."""

    normed: Normed
    tokens: Tokens

    @classmethod
    def find(cls, walk: Walk, tokens: Tokens) -> Between:
        """The stage that ends in `tokens`."""
        return cls(walk.normed(tokens.linear), tokens)

    @property
    def source(self) -> str:
        """The output of the first stack."""
        return self.normed.norm.inputs[0]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return (self.normed.norm, *self.tokens.nodes)

    def emit_norm(self, context: Context, places: Places, x: Matrix, a: Matrix) -> None:
        """The first stack's output x through its LayerNorm, to a."""
        _Norm(context, places).norm(self, x, a)

    def emit_tokens(self, context: Context, places: Places, a: Matrix, x: Matrix) -> None:
        """Rows of a to the residual x of the second stack."""
        _BetweenTokens(context, places, self).from_rows(a, x)


class _Norm(Part):
    def norm(self, stage: Between, x: Matrix, a: Matrix) -> None:
        c, norm = self.c, stage.normed.norm
        self._constants(norm, 0, x.columns)
        for i, (start, rows) in c.some(enumerate(x.blocks)):
            source = c.open(x, i, load=True)
            # On chip a is one piece, because the next tokens begin in the middle of its blocks.
            if a.resident:
                target = a.view(0, a.addresses[0])[start : start + rows]
            else:
                target = a.view(i, c.open(a, i, load=False))
            done = self._norm(norm, 0, x.view(i, source), target, start)
            self._cut(stage.normed.rows.cuts, done, target, start)
            c.close(x, i, source, store=False)
            if not a.resident:
                c.close(a, i, target.address, store=True)
        c.flush()


class _BetweenTokens(TokensPart):
    def __init__(self, context: Context, places: Places, stage: Between) -> None:
        super().__init__(context, places, stage.tokens)
        self.stage = stage

    def from_rows(self, a: Matrix, x: Matrix) -> None:
        self._words()
        for group in self.c.some(self._fitting(x, lambda group: self._group(a, x, group))):
            self._group(a, x, group)

    def _group(self, a: Matrix, x: Matrix, group: range) -> None:
        c, linear = self.c, self.tokens.linear
        packed = self.at.weights[linear.name]
        held = {i: c.open(x, i, load=False) for i in group}
        pieces = [(i, *piece) for i in group for piece in self._pieces(a, *self._rows(x, i))]
        for tile, tiles in c.some(c.chunks(packed, 2)):
            y = c.weights(packed, tile, tiles, linear.name, based=False)
            for i, row, index, first, last in pieces:
                source = c.open(a, index, load=True)
                rows = a.view(index, source)[first:last]
                self._product(rows, x.view(i, held[i]), x.blocks[i][0], row, (y, tile, tiles))
                c.close(a, index, source, store=False)
        self._finish(x, held)
        c.flush()

    def _pieces(self, a: Matrix, start: int, count: int) -> list[tuple[int, int, int, int]]:
        """Rows start..start+count of the product as (first of them, block of a, rows first..last in it)."""
        found, offset = [], self.stage.normed.rows.start
        for index, (first, rows) in enumerate(a.blocks):
            low, high = max(first, start + offset), min(first + rows, start + count + offset)
            if low < high:
                found.append((low - offset, index, low - first, high - first))
        return found
