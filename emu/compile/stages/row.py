"""The one row of int8 that a classifier reads, made of the output of the last stack.

- `Token`: layernorm -> rows
- `Mean`: layernorm -> mean
- `NormedRow`: rows -> layernorm, or a mean of 16 bits or a sum (`sum.py`) -> layernorm
"""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.stages.stage import Keep
from intarsia.emu.compile.stages.sum import Sum, SumPart
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Normed, Rows, Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

WIDTHS = (256, 64, 16)
"""Columns of a mean that are made at once where all of its rows do not fit on chip."""


@dataclass(frozen=True)
class Token:
    """A row of a LayerNorm."""

    normed: Normed

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return (self.normed.norm,)

    @property
    def reads(self) -> tuple[Node, str]:
        """A node that reads the stack, and the tensor."""
        return self.normed.norm, self.normed.norm.inputs[0]


@dataclass(frozen=True)
class Mean:
    """The mean of rows of a LayerNorm: start..stop of `normed`."""

    mean: Node
    normed: Normed

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return self.normed.norm, self.mean

    @property
    def reads(self) -> tuple[Node, str]:
        """A node that reads the stack, and the tensor."""
        return self.normed.norm, self.normed.norm.inputs[0]

    @property
    def rows(self) -> Rows:
        """The rows that are summed."""
        rows, mean = self.normed.rows, self.mean
        start, stop = (rows.start + mean.integer(key) for key in ("start", "stop"))
        return Rows(rows.source, rows.reader, start, stop, rows.cuts)


@dataclass(frozen=True)
class NormedRow:
    """A LayerNorm of one row: of the stack itself or, with a `total`, of a sum or mean of its rows."""

    norm: Node
    row: Rows
    total: Sum | Mean | None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return (*(self.total.nodes if self.total else ()), self.norm)

    @property
    def reads(self) -> tuple[Node, str]:
        """A node that reads the stack, and the tensor."""
        return self.total.reads if self.total else (self.row.reader, self.row.source)


Row = Token | Mean | NormedRow


def find_row(walk: Walk, linear: Node) -> Row:
    """The row that a linear operator reads."""
    maker = walk.maker(linear)
    if maker is not None and maker.op == "mean":
        return Mean(maker, walk.normed(maker))
    normed = walk.normed(linear)
    if normed.rows.count != 1:
        raise InputError(f"{linear.name}: must read one row to be compiled, not {normed.rows.count}")
    if walk.graph.output(normed.norm).shape[0] > 1:
        return Token(normed)
    row = walk.rows(normed.norm)
    maker = walk.maker(normed.norm)
    if maker is not None and maker.op == "mean":
        return NormedRow(normed.norm, row, Mean(maker, walk.normed(maker)))
    return NormedRow(normed.norm, row, Sum.find(walk, row))


class RowPart(SumPart):
    """Emits such rows."""

    def _row(self, row: Row, x: Matrix, target: View, keep: Keep) -> None:
        match row:
            case Token():
                self._constants(row.normed.norm, 0, x.columns)
                self._normed(row.normed, x, row.normed.rows.start, 1, target)
            case Mean():
                self._mean(row, x, target, keep)
            case NormedRow(norm=norm):
                self._normed_row(row, norm, x, target, keep)
        self.c.flush()

    def _normed_row(self, row: NormedRow, norm: Node, x: Matrix, target: View, keep: Keep) -> None:
        c = self.c
        if row.total is None:
            self._constants(norm, 0, x.columns)
            start = row.row.start
            index, address, source = self._opened(x, start, 1)
            done = self._norm(norm, 0, source, target, 0)
            for name, low, _ in row.row.cuts:
                c.probe(name, done, source, start - low)
            c.close(x, index, address, store=False)
            return
        source = View(c.arena.allocate("sum", x.stride), x.stride, 1, x.columns, x.dtype)
        if isinstance(row.total, Mean):
            self._mean(row.total, x, source, keep)
        else:
            self._sum(row.total, x, source, keep)
        self._constants(norm, 0, x.columns)
        self._norm(norm, 0, source, target, 0)
        c.arena.free("sum")

    def _mean(self, row: Mean, x: Matrix, target: View, keep: Keep) -> None:
        pitch, count = padded(x.columns, 16), row.rows.count
        most = max(rows for _, rows in x.blocks)
        options = [(most, pitch)]
        options += [
            (most >> n, width) for width in WIDTHS if width < pitch for n in range(most.bit_length())
        ]
        rows, width = self._first(options, lambda option: self._mean_by(row, x, target, *option, 0))
        dram = keep(f"{row.mean.name} rows", count * pitch) if width < pitch else 0
        self._mean_by(row, x, target, rows, width, dram)

    def _mean_by(self, row: Mean, x: Matrix, target: View, most: int, width: int, dram: int) -> None:
        """A product of ones with rows of the LayerNorm that are all on chip, or `width` columns of them."""
        c, mean, wanted = self.c, row.mean, row.rows
        count, whole = wanted.count, width >= x.columns
        stride = padded(min(width, x.columns), 16)
        self._constants(row.normed.norm, 0, x.columns)
        self._parameter(mean)
        ones = View(c.arena.allocate("ones", padded(count, 16)), padded(count, 16), 1, count, "int8")
        c.load_rows(ones, self.at.arrays[mean.name], mean.name)
        address = c.arena.allocate("pooled", count * stride, apart="ones") if whole else 0
        for start, rows in c.some(self._parts(x, wanted, most)):
            first = start - wanted.start
            if whole:
                part = View(address + first * stride, stride, rows, x.columns, "int8")
                self._normed(row.normed, x, start, rows, part)
                continue
            part = self._normed(row.normed, x, start, rows)
            c.store_rows(part, dram + first * x.columns, row.normed.norm.name)
            c.arena.free("normalized rows")
            c.flush()
        c.flush()
        if not whole:
            address = c.arena.allocate("pooled", count * stride, apart="ones")
        for column in c.some(range(0, x.columns, stride)):
            pooled = View(address, stride, count, min(stride, x.columns - column), "int8")
            if not whole:
                c.load_rows(pooled, dram + column, row.normed.norm.name, dram_stride=x.columns)
            out = target[:, column : column + pooled.columns]
            c.probe(mean.name, c.by_columns(mean.name, ones, pooled, out, self._word(mean)), out, 0, column)
        c.arena.free("pooled")
        c.arena.free("ones")
