"""What the emitters of all stages share: attempts that may not fit, parameter words, LayerNorm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from intarsia.emu.compile.block import PARAMETERS
from intarsia.emu.compile.context import Context, Done
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.matrix import Matrix, groups, row_blocks
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.plan import group_sizes
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Normed, Rows
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

T = TypeVar("T")


class Part:
    """Emits a stage."""

    def __init__(self, context: Context, places: Places) -> None:
        self.c, self.at = context, places

    def _fitting(self, x: Matrix, attempt: Callable[[range], None]) -> list[range]:
        """Row blocks in as few groups as fit: every group reads the weights once."""
        c, count = self.c, len(x.blocks)

        def groups_fit(size: int) -> None:
            for part in c.some(groups(count, size)):
                attempt(part)

        return groups(count, self._first(group_sizes(count), groups_fit))

    def _first(self, options: Sequence[T], attempt: Callable[[T], None]) -> T:
        """The first option whose attempt fits; the last one's error if none does. Emits nothing.

        The last needs the least memory. Where it is only asked whether any fits, it is tried first.
        """
        c = self.c
        emitter, c.emitter = c.emitter, None
        live, half = dict(c.arena.live), c.half
        problem: InputError | None = None
        try:
            for option in options if emitter is not None else reversed(options):
                try:
                    attempt(option)
                    return option
                except InputError as error:
                    problem = error if problem is None or emitter is not None else problem
                finally:
                    c.forget()
                    c.arena.live = dict(live)
        finally:
            c.emitter, c.half = emitter, half
        assert problem is not None
        raise problem

    def _word(self, node: Node) -> int:
        """Number of the parameter word of a node."""
        return self.at.words[node.name]

    def _parameter(self, node: Node) -> None:
        """LOAD the parameter word of a node."""
        self.c.parameter(self._word(node), self.at.parameters, len(PARAMETERS), node.name, based=False)

    def _constants(self, norm: Node, slot: int, channels: int) -> None:
        """LOAD the parameter word of a LayerNorm, and its row constants into a slot."""
        self._parameter(norm)
        self.c.row_constants(slot, self.at.norms[norm.name], channels, norm.name, based=False)

    def _norm(self, norm: Node, slot: int, source: View, target: View, row: int) -> Done:
        """LayerNorm of rows from number `row` on."""
        done = self.c.norm(norm.name, source, target, slot, self._word(norm))
        self.c.probe(norm.name, done, target, row)
        return done

    def _cut(self, cuts: Sequence[tuple[str, int, int]], done: Done, view: View, row: int) -> None:
        """Probe what LayerNorm has made of rows from `row` on in the tensors that are cut from it."""
        for name, low, high in cuts:
            first, last = max(low, row), min(high, row + view.rows)
            if first < last:
                self.c.probe(name, done, view[first - row : last - row], first - low)

    def _parts(self, x: Matrix, wanted: Rows, most: int) -> list[tuple[int, int]]:
        """The wanted rows as (first, count), cut where the blocks of x are, `most` at once."""
        cut = [(max(s, wanted.start), min(s + r, wanted.stop)) for s, r in x.blocks]
        return [
            (first + start, rows)
            for first, last in cut
            if first < last
            for start, rows in row_blocks(last - first, most)
        ]

    def _normed(
        self, normed: Normed, x: Matrix, start: int, count: int, target: View | None = None
    ) -> View:
        """Rows of x, of one block, through the LayerNorm in slot 0.

        Without a target to "normalized rows", which the caller gives back.
        """
        c = self.c
        index, source, rows = self._opened(x, start, count)
        if target is None:
            dtype = f"int{normed.norm.integer('out_bits')}"
            stride = padded(View(0, 0, count, x.columns, dtype).width, 16)
            address = c.arena.allocate("normalized rows", count * stride)
            target = View(address, stride, count, x.columns, dtype)
        done = self._norm(normed.norm, 0, rows, target, start)
        self._cut(normed.rows.cuts, done, target, start)
        c.close(x, index, source, store=False)
        return target

    def _opened(self, x: Matrix, start: int, count: int) -> tuple[int, int, View]:
        """Rows of x, and number and address of the block that holds them, which the caller closes."""
        index = next(i for i, (s, r) in enumerate(x.blocks) if s <= start < s + r)
        address = self.c.open(x, index, load=True)
        first = start - x.blocks[index][0]
        return index, address, x.view(index, address)[first : first + count]

    def _linear(self, node: Node, x: View, out: View, row: int) -> None:
        """A linear operator on rows from number `row` on of its output, by chunks of columns."""
        c, packed = self.c, self.at.weights[node.name]
        for tile, tiles in c.some(c.chunks(packed, out.item)):
            y = c.weights(packed, tile, tiles, node.name, based=False)
            column, columns = c.columns(packed, tile, tiles)
            part = out[:, column : column + columns]
            c.probe(node.name, c.linear(node.name, x, part, packed, y), part, row, column)
