"""Stimulus, expectation and proofs for `hw.units.layernorm.core.Layernorm`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from intarsia.arch import isa
from intarsia.arch.duration import ROOT, ceil_div
from intarsia.hw.units.layernorm.core import Layernorm
from intarsia.model.integer.arithmetic import isqrt, layernorm, layernorm_constants, rshift_rhe, saturate
from intarsia.sim.formal.core_proofs import balance, per_pair, protocol, ring
from intarsia.sim.transaction import Bench, Ints, Transaction, to_beats
from intarsia.sim.unit_check import UnitCheck

LOW, HIGH = -(2**15), 2**15 - 1
LARGEST_B = 2**62


class LayernormBench(Bench):
    """I-LayerNorm (docs/numerics.md, section 4): `model.integer.arithmetic.layernorm`."""

    BINS: ClassVar[tuple[str, ...]] = (
        "variance 0", "mean -32768", "mean 32767", "s = 1 of a variance that is not 0", "one outlier",
        "all negative", "half lowest, half highest", "v one below a square", "v a square",
        "v one above a square", "mean exact", "mean rounds down", "mean rounds up",
        "tie of a mean from 0 rounds down", "tie of a mean from 0 rounds up",
        "tie of a negative mean rounds down", "tie of a negative mean rounds up",
        "row of 1", "row of one beat", "ragged row", "row fills whole beats", "longest row", "one row",
        "many rows, each shorter than a root", "b = 0", "b largest", "b smallest", "B largest",
        "B smallest", "c = 0", "c = 63", "z largest", "z smallest", "tie of an output rounds down",
        "tie of an output rounds up", "8 bits saturate above", "8 bits saturate below",
        "16 bits saturate above", "16 bits saturate below", "outputs of 8 and of 16 bits differ",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes, longest = self.core.lanes, self.core.max_length
        ragged = min(lanes + 1, longest)
        for length in sorted({1, 2, lanes, ragged, min(3 * lanes - 1, longest), longest}):
            yield self._typical(f"typical rows of {length}", self._rows(rng, 3, length), rng)
        for value in (LOW, -1, 0, HIGH):
            yield self._typical(f"all {value}", np.full((2, ragged), value), rng)
        yield self._typical("many rows of 1", rng.integers(LOW, HIGH, (9, 1)), rng)
        yield self._typical("many short rows", self._rows(rng, 12, lanes), rng)
        yield self._typical("rows of two beats", self._rows(rng, 7, min(2 * lanes, longest)), rng)

        outlier = np.full((4, 12), 3)
        outlier[[0, 1, 2, 3], [0, 11, 4, 7]] = LOW, HIGH, 2, 1000
        yield self._typical("one outlier", outlier, rng)
        yield self._typical("all negative", rng.integers(LOW, 0, (2, 20)), rng)
        extremes = np.where(np.arange(longest) % 2, HIGH, LOW)
        yield self._typical("largest v", np.stack([extremes, -1 - extremes]), rng)
        roots = (2, 3, 1000, 32768, 46341, 60000)
        squares = np.array([_row_of_variance(t * t + d, 40, rng) for t in roots for d in (-1, 0, 1)])
        yield self._typical("v around squares", squares, rng)
        for length in (2, 6, 14):
            ties = rng.integers(-60, 60, (8, length))
            ties[:, 0] += (np.arange(-4, 4) * length + length // 2) - ties.sum(axis=1)
            yield self._typical(f"ties of the mean of {length}", ties, rng)
        yield self._typical("s = 1", np.array([[0, 1, 0, 0], [5, 5, 6, 6], [-1, 0, 0, 1]]), rng)

        rows = self._rows(rng, 3, ragged)
        bound = rng.choice([-LARGEST_B, LARGEST_B], rows.shape)
        for wide in (0, 1):
            for c in (0, 63):
                zero = np.zeros_like(rows)
                yield self._transaction(f"b = 0, c = {c}", rows, zero, bound, c, wide, rng)
                b = rng.choice([-(2**31), 2**31 - 1], rows.shape)
                yield self._transaction(f"extreme constants, c = {c}", rows, b, bound, c, wide, rng)
            for c in (1, 16, 31, 40):
                yield self._rounding(f"output around a half, c = {c}", rows, c, wide, rng)
        small = np.array([[0, 1], [1, 0]])
        yield self._transaction("largest z", small, np.array([2, -(2**31)]), 0 * small, 35, 1, rng)
        small = np.array([[3, -7, 0, 2**10]])
        yield self._transaction("small outputs", small, np.full((1, 4), 9), 0 * small, 30, 1, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes, longest = self.core.lanes, self.core.max_length
        while True:
            beats = int(
                rng.choice([1, 2, 3, ROOT - 1, ROOT, ROOT + 3], p=[0.4, 0.2, 0.2, 0.06, 0.07, 0.07])
            )
            length = beats * lanes if rng.random() < 0.3 else int(rng.integers(1, beats * lanes + 1))
            rows = self._rows(rng, int(rng.integers(1, 7)), min(length, longest))
            wide, kind = int(rng.integers(2)), rng.random()
            if kind < 0.5:
                yield self._typical("random rows", rows, rng, wide)
            elif kind < 0.75:
                yield self._rounding("random halves", rows, int(rng.integers(1, 45)), wide, rng)
            else:
                b = rng.integers(-(2**31), 2**31, rows.shape) >> rng.integers(0, 32, rows.shape)
                b = np.where(rng.random(rows.shape) < 0.05, rng.choice([-(2**31), 2**31 - 1]), b)
                offset = rng.integers(-LARGEST_B, LARGEST_B + 1, rows.shape)
                offset >>= rng.integers(0, 62, rows.shape)
                offset = np.where(
                    rng.random(rows.shape) < 0.05, rng.choice([-LARGEST_B, LARGEST_B]), offset
                )
                c = int(rng.choice([0, 63, *rng.integers(64, size=4)]))
                yield self._transaction("random constants", rows, b, offset, c, wide, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """More rows than are worth to be played more than once."""
        rng = np.random.default_rng(0)
        yield self._typical("4095 rows of 1", rng.integers(LOW, HIGH + 1, (4095, 1)), rng)

    def _rows(self, rng: np.random.Generator, count: int, length: int) -> Ints:
        """Rows of one kind each: wide or narrow, around 0 or far from it, with an outlier or not."""
        spread = rng.choice([1, 3, 200, 8000, HIGH], (count, 1))
        rows = rng.integers(-spread, spread + 1, (count, length))
        rows += rng.choice([0, 0, -20, 12000, -30000], (count, 1))
        rows[np.arange(count), rng.integers(0, length, count)] += rng.choice([0, 0, 30000], count)
        return np.clip(rows, LOW, HIGH)

    def _typical(
        self, name: str, rows: Ints, rng: np.random.Generator, wide: int | None = None
    ) -> Transaction:
        """Constants as a network has them, with a gamma of 0 here and there."""
        length = rows.shape[1]
        wide = int(rng.integers(2)) if wide is None else wide
        gamma = np.where(rng.random(length) < 0.05, 0.0, rng.normal(1, 0.4, length))
        gamma[0] = 1
        scale = 2.0**-12 if wide else 2.0**-5
        bits = int(rng.choice([16, 32]))
        b, offset, c = layernorm_constants(gamma, rng.normal(0, 0.5, length), scale, bits)
        b, offset = np.broadcast_to(b, rows.shape), np.broadcast_to(offset, rows.shape)
        return self._transaction(name, rows, b, offset, c, wide, rng)

    def _rounding(self, name: str, rows: Ints, c: int, wide: int, rng: np.random.Generator) -> Transaction:
        """B such that z * b + B lies at a half or beside it by one bit, whichever, most of all where the
        output saturates."""
        top = 1 << (15 if wide else 7)
        b = rng.integers(-(2**15), 2**15, rows.shape)
        goal = rng.choice([-top - 1, -top, -2, -1, 0, 1, top - 2, top - 1, top], rows.shape)
        beside = rng.integers(-1, 2, rows.shape) << rng.integers(0, c, rows.shape)
        goal = (goal << c) + (1 << c - 1) + beside * (rng.random() < 0.5)
        return self._transaction(name, rows, b, goal - _z(rows) * b, c, wide, rng)

    def _transaction(
        self, name: str, rows: Ints, b: Ints, offset: Ints, c: int, wide: int, rng: np.random.Generator
    ) -> Transaction:
        count, length = rows.shape
        lanes = self.core.lanes
        b = np.broadcast_to(b, rows.shape)
        command = {"rows": count, "length": length, "c": c, "wide": wide}
        constants = {"b": to_beats(b, lanes, rng, bits=32), "offset": to_beats(offset, lanes, rng, bits=64)}
        out = layernorm(rows, b, offset, c, out_bits=16 if wide else 8)
        return Transaction(
            name=name,
            inputs={
                "command": {field: np.array([value]) for field, value in command.items()},
                "i": {"": to_beats(rows, lanes, rng, bits=16)},
                "constants": constants,
            },
            output={"": to_beats(out.astype(np.int64), lanes)},
            values=out.size,
            cycles=isa.Layernorm.unit_cycles(count, ceil_div(length, lanes)),
            bins=frozenset(
                (
                    *self._shape_bins(count, length),
                    *_input_bins(rows),
                    *_output_bins(_z(rows), b, offset, c, wide),
                )
            ),
        )

    def _shape_bins(self, count: int, length: int) -> Iterator[str]:
        beats = -(-length // self.core.lanes)
        if count == 1:
            yield "one row"
        if count > 4 and beats < ROOT:
            yield "many rows, each shorter than a root"
        if length == 1:
            yield "row of 1"
        if beats == 1:
            yield "row of one beat"
        yield "ragged row" if length % self.core.lanes else "row fills whole beats"
        if length == self.core.max_length:
            yield "longest row"


def _z(rows: Ints) -> Ints:
    """The normalized rows, before scale and shift."""
    return layernorm(rows, 1, 0, 0, out_bits=32).astype(np.int64)


def _row_of_variance(v: int, length: int, rng: np.random.Generator) -> Ints:
    """A row of mean 0 with sum y^2 = v: pairs a, -a with a as large as fits, and a 1 where v is odd."""
    row = [1] * (v % 2)
    left = v // 2
    while left:
        a = min(math.isqrt(left), HIGH)
        row += [a, -a]
        left -= a * a
    return rng.permutation(np.array(row + [0] * (length - len(row))))


def _input_bins(rows: Ints) -> Iterator[str]:
    """Bins of x, of its mean and of its variance."""
    length = rows.shape[1]
    total = rows.sum(axis=1)
    floor = total // length
    twice = 2 * (total - floor * length)
    tie = twice == length
    mean = floor + ((twice > length) | (tie & (floor % 2 == 1)))
    v = ((rows - mean[:, None]) ** 2).sum(axis=1)
    s = isqrt(v)
    extremes = [(rows == end).sum(axis=1) for end in (LOW, HIGH)]
    differ = (rows != np.median(rows, axis=1, keepdims=True)).sum(axis=1)
    where = {
        "variance 0": v == 0,
        "s = 1 of a variance that is not 0": s == 1,
        "v one below a square": (v + 1 == (s + 1) ** 2) & (s > 1),
        "v a square": (v == s * s) & (s > 1),
        "v one above a square": (v == s * s + 1) & (s > 1),
        "mean -32768": mean == LOW,
        "mean 32767": mean == HIGH,
        "mean exact": twice == 0,
        "mean rounds down": (twice < length) & (twice > 0),
        "mean rounds up": twice > length,
        "one outlier": (differ == 1) & (length > 2),
        "all negative": rows.max(axis=1) < 0,
        "half lowest, half highest": (extremes[0] == extremes[1]) & (2 * extremes[0] == length),
    }
    for sign, of_sign in (("mean from 0", total >= 0), ("negative mean", total < 0)):
        for way, rounds in (("down", mean == floor), ("up", mean > floor)):
            where[f"tie of a {sign} rounds {way}"] = tie & of_sign & rounds
    yield from (name for name, hit in where.items() if hit.any())


def _output_bins(z: Ints, b: Ints, offset: Ints, c: int, wide: int) -> Iterator[str]:
    """Bins of the constants and of the rounding and saturation of the output."""
    p = z * b + offset
    q = rshift_rhe(p, c)
    tie = (p & ((1 << c) - 1) == 1 << c - 1) if c else np.zeros(p.shape, bool)
    bits = 16 if wide else 8
    where = {
        "z largest": z == 2**30 - 1,
        "z smallest": z == -(2**30),
        "b = 0": b == 0,
        "b largest": b == 2**31 - 1,
        "b smallest": b == -(2**31),
        "B largest": offset == LARGEST_B,
        "B smallest": offset == -LARGEST_B,
        "tie of an output rounds down": tie & (q == p >> c),
        "tie of an output rounds up": tie & (q > p >> c),
        f"{bits} bits saturate above": q >= 1 << bits - 1,
        f"{bits} bits saturate below": q < -(1 << bits - 1),
        "outputs of 8 and of 16 bits differ": saturate(q, 8) != saturate(q, 16),
        f"c = {c}": np.array(c in (0, 63)),
    }
    yield from (name for name, hit in where.items() if hit.any())


CHECK = UnitCheck(
    LayernormBench,
    "intarsia.model.integer.arithmetic.layernorm",
    "I-LayerNorm",
    {
        **protocol("layernorm", partial(Layernorm, lanes=1, max_length=4), 110),
        **balance(
            "layernorm",
            partial(Layernorm, lanes=2, max_length=4),
            {"rows": 2, "length": 3},
            per_pair,
            {"i": per_pair, "constants": per_pair},
            130,
            at_once=True,
        ),
        **ring("layernorm", Layernorm, 4, ("address", "address$1"), 115),
    },
)
