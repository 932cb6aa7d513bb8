"""The sum of rows of the last stack's output: a tree of residuals whose inputs are rows.

    (rows | sum), (rows | sum) -> residual

The sums are kept in DRAM, for they may be half of all rows; two rows that are added must stand in
different banks anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intarsia.emu.compile.matrix import Matrix, row_blocks
from intarsia.emu.compile.stages.part import Part
from intarsia.emu.compile.stages.stage import Keep
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Rows, Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

TURNS = 2


@dataclass(frozen=True)
class Addition:
    """One residual: `count` rows."""

    node: Node
    inputs: tuple[Rows, Rows]
    count: int


@dataclass(frozen=True)
class Sum:
    """`additions` in order; those of the stack read the tensor `reads[1]`, as `reads[0]` does."""

    additions: tuple[Addition, ...]
    reads: tuple[Node, str]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return tuple(addition.node for addition in self.additions)

    @classmethod
    def find(cls, walk: Walk, row: Rows) -> Sum | None:
        """The sum that makes the tensor that `row` is of; None: it is the stack's."""
        found: dict[str, Addition] = {}
        reads: list[tuple[Node, str]] = []

        def add(rows: Rows) -> None:
            node = walk.made.get(rows.source)
            if rows.source in found:
                return
            if node is None or not _is_sum(walk, node):
                reads.append((rows.reader, rows.source))
                return
            inputs = walk.rows(node, 0), walk.rows(node, 1)
            for one in inputs:
                add(one)
            found[node.name] = Addition(node, inputs, walk.graph.output(node).shape[0])

        add(row)
        if not found:
            return None
        for reader, stream in reads:
            if stream != reads[0][1]:
                raise InputError(
                    f"{reader.name}: must read {reads[0][1]}, as {reads[0][0].name} does, to be compiled, "
                    f"not {stream}"
                )
        return cls(tuple(found.values()), reads[0])


def _is_sum(walk: Walk, node: Node) -> bool:
    """Whether a node adds rows; the residual that ends a block adds what a linear operator makes."""
    return (
        node.op == "residual"
        and len(node.inputs) == 2
        and all((maker := walk.maker(node, i)) is not None and maker.op != "linear" for i in (0, 1))
    )


class SumPart(Part):
    """Emits sums."""

    def _sum(self, total: Sum, x: Matrix, target: View, keep: Keep) -> None:
        """The sum [1, D] int16 of rows of x, to `target`."""
        c = self.c
        if x.resident:
            for i, address in enumerate(x.addresses):
                c.store_block(x, i, address)
        *kept, _ = total.additions
        sizes = [addition.count * x.stride for addition in kept]
        dram = keep("sums", sum(sizes)) if kept else 0
        places = {total.reads[1]: x.dram or 0}
        for addition, before in zip(kept, np.cumsum([0, *sizes]).tolist(), strict=False):
            places[addition.node.name] = dram + before
        most = max(rows for _, rows in x.blocks)
        options = [most >> n for n in range(most.bit_length())]
        rows = self._first(options, lambda rows: self._additions(total, x, target, places, rows))
        self._additions(total, x, target, places, rows)

    def _additions(self, total: Sum, x: Matrix, target: View, places: dict[str, int], most: int) -> None:
        c = self.c
        names = [f"{name}[{turn}]" for name in ("addend", "other") for turn in range(TURNS)]
        size = min(most, max(addition.count for addition in total.additions)) * x.stride
        buffers = [
            c.arena.allocate(name, size, apart="addend" if "other" in name else "") for name in names
        ]
        turn = 0
        for addition in total.additions:
            name = addition.node.name
            self._parameter(addition.node)
            for start, count in c.some(row_blocks(addition.count, most)):
                views = [
                    View(buffers[n * TURNS + turn], x.stride, count, x.columns, x.dtype) for n in (0, 1)
                ]
                for view, rows in zip(views, addition.inputs, strict=True):
                    self._bring(view, rows, rows.start + start, places, x.stride)
                last = addition is total.additions[-1]
                out = target if last else views[0]
                done = c.residual(name, views[0], views[1], out, self._word(addition.node))
                c.probe(name, done, out, start)
                if not last:
                    c.store_rows(out, places[name] + start * x.stride, name, dram_stride=x.stride)
                turn = (turn + 1) % TURNS
        for name in names:
            c.arena.free(name)

    def _bring(self, view: View, rows: Rows, start: int, places: dict[str, int], stride: int) -> None:
        """LOAD rows from number `start` of their source on."""
        dram = places[rows.source] + start * stride
        done = self.c.load_rows(view, dram, rows.reader.name, dram_stride=stride)
        for name, low, _ in rows.cuts:
            self.c.probe(name, done, view, start - low)
