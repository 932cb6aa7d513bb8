"""The picture to the tokens of the first stack.

image -> pixels -> linear -> tokens (`tokens.py`)
"""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.arch.isa import Load, Lookup, Space
from intarsia.arch.machine import TABLE_BYTES
from intarsia.emu.compile.context import Context
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.stages.stage import Stage
from intarsia.emu.compile.stages.tokens import Tokens, TokensPart
from intarsia.emu.compile.view import View
from intarsia.emu.compile.walk import Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import IMAGE, Node


@dataclass(frozen=True)
class Embedding(Stage):
    """`width`: pixels from row to row of the picture, padded to whole patches."""

    pixels: Node
    tokens: Tokens
    width: int

    @classmethod
    def find(cls, walk: Walk, tokens: Tokens) -> Embedding:
        """The embedding that ends in `tokens`."""
        pixels = walk.source(tokens.linear, 0, "pixels")
        if pixels.inputs[0] != IMAGE:
            raise InputError(f"{pixels.name}: must read {IMAGE} to be compiled, not {pixels.inputs[0]}")
        width = padded(walk.graph.tensors[IMAGE].shape[1], pixels.integer("patch"))
        return cls(pixels, tokens, width)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """See `Stage`."""
        return (self.pixels, *self.tokens.nodes)

    def emit(self, context: Context, places: Places, x: Matrix) -> None:
        """The picture to x."""
        _Embedding(context, places, self).embed(x)


class _Embedding(TokensPart):
    def __init__(self, context: Context, places: Places, stage: Embedding) -> None:
        super().__init__(context, places, stage.tokens)
        self.stage = stage

    def embed(self, x: Matrix) -> None:
        pixels = self.stage.pixels.name
        self.c.load(Space.TABLE, 0, self.at.arrays[pixels], TABLE_BYTES, pixels, based=False)
        self._words()
        for group in self.c.some(self._fitting(x, lambda group: self._embed(x, group))):
            self._embed(x, group)

    def _embed(self, x: Matrix, group: range) -> None:
        c, linear = self.c, self.tokens.linear
        packed = self.at.weights[linear.name]
        stride = padded(packed.inputs, 16)
        held = {i: c.open(x, i, load=False) for i in group}
        pixels = {}
        for i in group:
            first, count = self._rows(x, i)
            if count:
                address = c.arena.allocate(f"pixels[{i}]", count * stride)
                pixels[i] = View(address, stride, count, packed.inputs, "int8")
                self._pixels(pixels[i], first)
        for tile, tiles in c.some(c.chunks(packed, 2)):
            y = c.weights(packed, tile, tiles, linear.name, based=False)
            for i, patches in pixels.items():
                row, _ = self._rows(x, i)
                self._product(patches, x.view(i, held[i]), x.blocks[i][0], row, (y, tile, tiles))
        for i in pixels:
            c.arena.free(f"pixels[{i}]")
        self._finish(x, held)
        c.flush()

    def _pixels(self, target: View, first: int) -> None:
        """LOAD patches from number `first` on, one piece per row of patches, and look them up."""
        c, label, width = self.c, self.stage.pixels.name, self.stage.width
        patch = self.stage.pixels.integer("patch")
        across, line = width // patch, width * 3
        done = 0
        while done < target.rows:
            row, column = divmod(first + done, across)
            piece = min(across - column, target.rows - done)
            source = self.at.image + row * patch * line + column * patch * 3
            address = target.address + done * target.stride
            counts = patch * 3, patch, piece
            strides = line, patch * 3, patch * 3, target.stride
            c.add(Load(source, Space.SCRATCHPAD, address, *counts, *strides), label)
            done += piece
        size = target.rows, target.columns, target.stride, target.stride
        number = c.add(Lookup(target.address, target.address, *size), label)
        c.probe(label, number, target, first)
