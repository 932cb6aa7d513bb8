"""Stimulus and expectation for `hw.units.mac_array.core.MacArray`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from intarsia.arch.isa.matmul import mac_array_unit
from intarsia.sim.transaction import Bench, Ints, Transaction, to_beats

X16_LOW, X16_HIGH = -(2**15), 2**15 - 1
MANY = 2**12 + 3


class MacArrayBench(Bench):
    """Plain int64 products of matrices, wrapped to int32 (docs/numerics.md, section 3).

    x is [outer, rows, K], y is [outer, lanes, K], with K = depth * tiles of an output, passes not
    counted: every output has its own x, so that no row can be taken for another one's.
    Bytes that the array must ignore carry noise: those of x that are not the pass's, and those of y
    behind a row. Some bins need more accumulator rows than the smaller one of lanes and depth.
    """

    BINS: ClassVar[tuple[str, ...]] = (
        "lane-major", "depth-major", "layout differs from the last command's",
        "one row", "rows fewer than the tile's", "rows as many as the tile's",
        "rows more than the tile's", "rows fill the accumulators",
        "one tile", "one tile per output, many outputs", "one output, many tiles", "many of both",
        "int8 x", "int16 x, one pair of passes", "int16 x, many pairs",
        "int8 x with noise above", "lowest x8 meets lowest y",
        "all products of int8 x largest", "all products of int8 x lowest",
        "int16 x: 32767", "int16 x: -32768", "low byte 0x80", "low byte 0xff", "high byte -1",
        "high byte 0, low byte above 127", "all products of int16 x largest",
        "all products of int16 x lowest", "accumulator wraps above", "accumulator wraps below",
        "tile of zeros", "x of zeros", "one-hot rows of x, each place once",
        "one-hot lanes of y, each place of a lane", "both signs of results", "results of 0",
    )  # fmt: skip

    _last_layout: bool | None = None

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        tall = self.core.accumulator_rows
        yield from self._shapes(rng)
        yield from self._places(rng)
        for layout in (False, True):
            yield from self._largest(layout, rng)
        yield from self._wrapping(rng)
        x = self._x(rng, 1, min(tall, 4), 1, x16=False)
        y = self._y(rng, 1, 1)
        yield self._transaction("tile of zeros", x, 0 * y, False, False, rng)
        yield self._transaction("x of zeros", 0 * x, y, False, True, rng)
        bytes_of_x = np.array([0x80, 0xFF, -0x80, -1, 0xFE, 0x7FFF, -0x8000, -0x7F01, 0x0100])
        for layout in (True, False):
            x = rng.choice(bytes_of_x, (1, 5, 2 * self.core.depth))
            yield self._transaction("bytes of x at their ends", x, self._y(rng, 1, 2), True, layout, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes, depth, tall = self.core.lanes, self.core.depth, self.core.accumulator_rows
        while True:
            layout, x16 = bool(rng.integers(2)), bool(rng.random() < 0.4)
            tile = depth if layout else lanes
            rows = int(rng.choice([1, 2, tile - 1, tile, tile + 1, int(rng.integers(1, 2 * tile + 1))]))
            rows = min(rows, tall)
            periods = max(1, 600 // max(rows, tile))
            passes = 2 if x16 else 1
            tiles = int(rng.integers(1, max(2, min(4, periods // passes) + 1)))
            outer = int(rng.integers(1, max(2, min(4, periods // (tiles * passes)) + 1)))
            x, y = self._x(rng, outer, rows, tiles, x16), self._y(rng, outer, tiles)
            match int(rng.integers(4)):
                case 0:  # ends of the ranges only
                    x = rng.choice([x.min(), -1, 0, x.max()], x.shape)
                    y = rng.choice([-128, 127], y.shape)
                case 1:  # mostly zeros, as of ragged tiles
                    x, y = x * (rng.random(x.shape) < 0.2), y * (rng.random(y.shape) < 0.2)
                case _:
                    pass
            yield self._transaction("random", x, y, x16, layout, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """Many outputs and many tiles: the high bits of what counts them."""
        rng = np.random.default_rng(0)
        depth_major = self.core.depth < self.core.lanes
        for outer, tiles in ((MANY, 1), (1, MANY)):
            x, y = self._x(rng, outer, 1, tiles, False), self._y(rng, outer, tiles)
            name = f"{tiles} tiles, {outer} outputs"
            yield self._transaction(name, x, y, False, depth_major, rng)

    def _shapes(self, rng: np.random.Generator) -> Iterator[Transaction]:
        """Rows against the tile, tiles and outputs; layouts follow each other in every order."""
        lanes, depth, tall = self.core.lanes, self.core.depth, self.core.accumulator_rows
        for x16, layout, tiles, outer in (
            (False, False, 1, 1), (False, False, 1, 3), (False, True, 3, 1), (False, True, 2, 2),
            (True, False, 1, 1), (True, True, 3, 2), (True, True, 1, 3), (False, False, 3, 2),
        ):  # fmt: skip
            tile = depth if layout else lanes
            for rows in (1, tile - 1, tile, tile + 1):
                x = self._x(rng, outer, min(rows, tall), tiles, x16)
                name = f"{rows} rows, {tiles} tiles, {outer} outputs"
                yield self._transaction(name, x, self._y(rng, outer, tiles), x16, layout, rng)
        x = self._x(rng, 2, tall, 1, False)
        yield self._transaction("all accumulators", x, self._y(rng, 2, 1), False, True, rng)

    def _places(self, rng: np.random.Generator) -> Iterator[Transaction]:
        """Every byte of a tile and every element of x shows itself in a result of its own."""
        lanes, depth, tall = self.core.lanes, self.core.depth, self.core.accumulator_rows
        identity = np.eye(depth, dtype=np.int64)
        for layout in (False, True):
            y = self._y(rng, 1, 1)
            for first in range(0, depth, tall):
                x = identity[None, first : first + tall]
                yield self._transaction("one-hot x", x, y, False, layout, rng)
            # Output o's lane n takes place (n + o) % depth of x. A large array shows as many as fit.
            outputs = max(1, min(depth, 1200 // (depth if layout else lanes)))
            start = rng.integers(depth)
            places = (start + np.arange(outputs)[:, None] + np.arange(lanes)) % depth
            x = np.broadcast_to(self._x(rng, 1, 3, 1, False), (outputs, 3, depth))
            yield self._transaction("one-hot y", x, identity[places], False, layout, rng)

    def _largest(self, layout: bool, rng: np.random.Generator) -> Iterator[Transaction]:
        """All products at an end of their range, two tiles of them."""
        shape_x, shape_y = (1, 3, 2 * self.core.depth), (1, self.core.lanes, 2 * self.core.depth)
        for x, y in ((-128, -128), (-128, 127), (127, -128), (127, 127)):
            yield self._transaction(
                f"{x} * {y}", np.full(shape_x, x), np.full(shape_y, y), False, layout, rng
            )
        for x, y in ((X16_LOW, -128), (X16_LOW, 127), (X16_HIGH, -128), (X16_HIGH, 127), (-1, -128)):
            yield self._transaction(
                f"{x} * {y}", np.full(shape_x, x), np.full(shape_y, y), True, layout, rng
            )

    def _wrapping(self, rng: np.random.Generator) -> Iterator[Transaction]:
        """Two rows that pass 2^31 and -2^31, in the layout that takes fewer cycles."""
        lanes, depth = self.core.lanes, self.core.depth
        tiles = 2**31 // (2**15 * 127 * depth) + 1
        x = np.repeat([[[X16_LOW], [X16_HIGH]]], tiles * depth, axis=2)
        for y in (-128, 127):
            full = np.full((1, lanes, tiles * depth), y)
            yield self._transaction("accumulators wrap", x, full, True, depth < lanes, rng)

    def _x(self, rng: np.random.Generator, outer: int, rows: int, tiles: int, x16: bool) -> Ints:
        low, high = (X16_LOW, X16_HIGH) if x16 else (-128, 127)
        return rng.integers(low, high, (outer, rows, tiles * self.core.depth), endpoint=True)

    def _y(self, rng: np.random.Generator, outer: int, tiles: int) -> Ints:
        return rng.integers(-128, 128, (outer, self.core.lanes, tiles * self.core.depth))

    def _transaction(
        self, name: str, x: Ints, y: Ints, x16: bool, depth_major: bool, rng: np.random.Generator
    ) -> Transaction:
        lanes, depth = self.core.lanes, self.core.depth
        outer, rows, length = x.shape
        tiles, passes = length // depth, 2 if x16 else 1
        exact = np.einsum("omk,olk->oml", x.astype(np.int64), y.astype(np.int64))
        # [outer, tiles, passes, rows of x or of the tile, bytes]: as it is sent.
        x_sent = x.reshape(outer, rows, tiles, 1, depth).transpose(0, 2, 3, 1, 4).repeat(passes, axis=2)
        # A pass takes one byte of x; the other one carries noise.
        noise = rng.integers(X16_LOW, X16_HIGH, x_sent.shape, endpoint=True)
        high = (np.arange(passes) < passes - 1)[:, None, None]
        x_sent = np.where(high, x_sent & -0x100 | noise & 0xFF, x_sent & 0xFF | noise & -0x100)
        y_sent = y.reshape(outer, lanes, tiles, 1, depth).transpose(0, 2, 3, 1, 4).repeat(passes, axis=2)
        if depth_major:
            y_sent = y_sent.swapaxes(3, 4)
        y_beats = to_beats(y_sent.reshape(-1, y_sent.shape[-1]), max(lanes, depth), rng)
        fields = {
            "rows": rows, "inner": tiles * passes, "outer": outer, "depth_major": depth_major, "x16": x16,
        }  # fmt: skip
        bins = frozenset(self._bins(x, y, x_sent, exact, x16, depth_major))
        self._last_layout = depth_major
        return Transaction(
            name=name,
            inputs={
                "command": {field: np.array([int(value)]) for field, value in fields.items()},
                "x": {"": x_sent.reshape(-1, depth)},
                "y": {"": y_beats},
            },
            output={"": exact.astype(np.int32).reshape(-1, lanes)},
            values=exact.size,
            cycles=mac_array_unit(rows, outer * tiles * passes, depth if depth_major else lanes),
            bins=bins,
        )

    def _bins(
        self, x: Ints, y: Ints, x_sent: Ints, exact: Ints, x16: bool, depth_major: bool
    ) -> Iterator[str]:
        lanes, depth = self.core.lanes, self.core.depth
        outer, rows, length = x.shape
        tiles, tile = length // depth, depth if depth_major else lanes
        yield "depth-major" if depth_major else "lane-major"
        if self._last_layout not in (None, depth_major):
            yield "layout differs from the last command's"
        if rows == 1:
            yield "one row"
        if rows != tile:
            yield "rows fewer than the tile's" if rows < tile else "rows more than the tile's"
        else:
            yield "rows as many as the tile's"
        if rows == self.core.accumulator_rows:
            yield "rows fill the accumulators"
        if tiles == 1:
            yield "one tile" if outer == 1 else "one tile per output, many outputs"
        else:
            yield "one output, many tiles" if outer == 1 else "many of both"
        if x16:
            yield "int16 x, many pairs" if tiles > 1 else "int16 x, one pair of passes"
            yield from self._bins_of_int16(x, y)
        else:
            yield "int8 x"
            if (x_sent >> 8 != np.where(x_sent & 0x80, -1, 0)).any():
                yield "int8 x with noise above"
            if (x == -128).any() and (y == -128).any():
                yield "lowest x8 meets lowest y"
            if (x == -128).all() and (y == -128).all():
                yield "all products of int8 x largest"
            if (x == -128).all() and (y == 127).all():
                yield "all products of int8 x lowest"
        if (exact > 2**31 - 1).any():
            yield "accumulator wraps above"
        if (exact < -(2**31)).any():
            yield "accumulator wraps below"
        if not y.reshape(outer, lanes, tiles, depth).any(axis=(1, 3)).all():
            yield "tile of zeros"
        if not x.any():
            yield "x of zeros"
        if rows == min(depth, self.core.accumulator_rows) and ((x != 0).sum(axis=2) == 1).all():
            yield "one-hot rows of x, each place once"
        if length == depth and ((y != 0).sum(axis=2) == 1).all():
            seen = y.any(axis=0).sum(axis=1)
            if (seen == min(outer, depth)).all():
                yield "one-hot lanes of y, each place of a lane"
        if (exact < 0).any() and (exact > 0).any():
            yield "both signs of results"
        if (exact == 0).any():
            yield "results of 0"

    def _bins_of_int16(self, x: Ints, y: Ints) -> Iterator[str]:
        low, high = x & 0xFF, x >> 8
        found = {
            "int16 x: 32767": x == X16_HIGH,
            "int16 x: -32768": x == X16_LOW,
            "low byte 0x80": low == 0x80,
            "low byte 0xff": low == 0xFF,
            "high byte -1": high == -1,
            "high byte 0, low byte above 127": (high == 0) & (low > 127),
        }
        yield from (name for name, hit in found.items() if hit.any())
        if (x == X16_LOW).all() and (y == -128).all():
            yield "all products of int16 x largest"
        if (x == X16_LOW).all() and (y == 127).all():
            yield "all products of int16 x lowest"
