"""Feature vectors that leave the network: rows of the last LayerNorm.

layernorm -> rows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from intarsia.emu.compile.context import Context
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.part import Part
from intarsia.emu.compile.stages.stage import Keep, Tail
from intarsia.emu.compile.walk import Normed, Walk
from intarsia.model.integer.graph import Node


@dataclass(frozen=True)
class Features(Tail):
    """`normed`: the rows of the LayerNorm that leave."""

    ENDS: ClassVar = (("rows",), ("layernorm",))

    normed: Normed

    @property
    def reader(self) -> Node:
        """See `Tail`."""
        return self.normed.norm

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return (self.normed.norm,)

    @classmethod
    def find(cls, walk: Walk, output: Node) -> Features:
        """See `Tail`."""
        return cls(output, walk.output(output))

    def emit(self, context: Context, places: Places, x: Matrix, keep: Keep) -> None:
        """See `Tail`."""
        _Features(context, places).features(self, x)


class _Features(Part):
    def features(self, tail: Features, x: Matrix) -> None:
        most = max(rows for _, rows in x.blocks)
        options = [most >> n for n in range(most.bit_length())]
        self._features(tail, x, self._first(options, lambda rows: self._features(tail, x, rows)))

    def _features(self, tail: Features, x: Matrix, most: int) -> None:
        c, rows = self.c, tail.normed.rows
        self._constants(tail.normed.norm, 0, x.columns)
        for start, count in c.some(self._parts(x, rows, most)):
            normed = self._normed(tail.normed, x, start, count)
            target = self.at.outputs[tail.output.name] + (start - rows.start) * normed.width
            c.store_rows(normed, target, tail.output.name)
            c.arena.free("normalized rows")
            c.flush()
