"""Class scores of the whole picture, from one row: a token's, or the mean of many.

row (`row.py`) -> linear, or two of them -> residual
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from intarsia.emu.compile.context import Context
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.row import Row, RowPart, find_row
from intarsia.emu.compile.stages.stage import Keep, Tail
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

TURNS = 2
"""Buffers of scores that take turns, so that one is stored while the next is computed."""


@dataclass(frozen=True)
class Readout:
    """One row and the linear operator that reads it."""

    row: Row
    linear: Node


@dataclass(frozen=True)
class Classifier(Tail):
    """`readouts`: one or, where `output` is the residual that adds them, two in the order of its inputs."""

    ENDS: ClassVar = (("linear",), ("residual", "linear"))

    readouts: tuple[Readout, ...]
    classes: int
    dtype: str

    @property
    def reader(self) -> Node:
        """See `Tail`."""
        return self.readouts[0].row.reads[0]

    @property
    def stream(self) -> str:
        """See `Tail`."""
        return self.readouts[0].row.reads[1]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        nodes = [node for one in self.readouts for node in (*one.row.nodes, one.linear)]
        return (*nodes, self.output)

    @property
    def scores(self) -> set[str]:
        """The nodes that make a score per class."""
        return {self.output.name, *(one.linear.name for one in self.readouts)}

    @classmethod
    def find(cls, walk: Walk, output: Node) -> Classifier:
        """See `Tail`."""
        if output.op == "linear":
            linears = [output]
        else:
            linears = [walk.source(output, index, "linear") for index in range(len(output.inputs))]
            if len(linears) == 1:
                raise InputError(f"{output.name}: must add two tensors to be compiled, not a constant")
        readouts = tuple(Readout(find_row(walk, linear), linear) for linear in linears)
        (_, first), (reader, other) = (one.row.reads for one in (readouts[0], readouts[-1]))
        if first != other:
            raise InputError(f"{reader.name}: must read {first} to be compiled, not {other}")
        tensor = walk.graph.output(output)
        return cls(output, readouts, tensor.shape[1], tensor.dtype)

    def emit(self, context: Context, places: Places, x: Matrix, keep: Keep) -> None:
        """See `Tail`."""
        _Classifier(context, places).classify(self, x, keep)


class _Classifier(RowPart):
    def classify(self, tail: Classifier, x: Matrix, keep: Keep) -> None:
        c, output = self.c, tail.output
        if len(tail.readouts) > 1:
            self._parameter(output)
        rows = []
        for turn, readout in enumerate(tail.readouts):
            stride = padded(x.columns, 16)
            rows.append(View(c.arena.allocate(f"row {turn}", stride), stride, 1, x.columns, "int8"))
            self._row(readout.row, x, rows[-1], keep)
        packed = [self.at.weights[readout.linear.name] for readout in tail.readouts]
        item = View(0, 0, 1, 1, tail.dtype).item
        chunks = c.chunks(packed[0], item)
        size = padded(max(c.columns(packed[0], *chunk)[1] for chunk in chunks) * item, 16)
        names = [f"scores {n}[{turn}]" for n in range(len(rows)) for turn in range(TURNS)]
        buffers = [
            c.arena.allocate(name, size, apart="" if name.startswith("scores 0") else "scores 0")
            for name in names
        ]
        for number, (tile, tiles) in enumerate(c.some(chunks)):
            column, columns = c.columns(packed[0], tile, tiles)
            outs = []
            for n, readout in enumerate(tail.readouts):
                name = readout.linear.name
                out = View(buffers[n * TURNS + number % TURNS], size, 1, columns, tail.dtype)
                y = c.weights(packed[n], tile, tiles, name, based=False)
                c.probe(name, c.linear(name, rows[n], out, packed[n], y), out, 0, column)
                outs.append(out)
            if len(outs) > 1:
                done = c.residual(output.name, outs[0], outs[1], outs[0], self._word(output))
                c.probe(output.name, done, outs[0], 0, column)
            c.store_rows(outs[0], self.at.outputs[output.name] + column * item, output.name)
        for name in [*names, *(f"row {turn}" for turn in range(len(rows)))]:
            c.arena.free(name)
        c.flush()
