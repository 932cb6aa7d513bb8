"""Stimulus, expectation and proofs for `hw.units.shiftmax.core.Shiftmax`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from intarsia.arch import isa
from intarsia.arch.duration import DIVIDE, ceil_div
from intarsia.hw.units.shiftmax.core import Shiftmax
from intarsia.model.integer.arithmetic import I31, shift_exp, shiftmax
from intarsia.sim.formal.core_proofs import balance, per_pair, protocol, ring
from intarsia.sim.transaction import Bench, Ints, Transaction, to_beats
from intarsia.sim.unit_check import UnitCheck

LOW, HIGH = -128, 127


@dataclass(frozen=True)
class Constants:
    """What a command holds besides its size; as they are in I-ViT, for scores of scale 1/16."""

    i0: int = 16
    n: int = 15
    reciprocal_bits: int = 31
    narrow: int = 0


class ShiftmaxBench(Bench):
    """arithmetic.shiftmax of int8 rows (docs/numerics.md, section 6)."""

    BINS: ClassVar[tuple[str, ...]] = (
        "row of 1", "row shorter than a beat", "row of one beat", "row fills whole beats", "ragged row",
        "row of max_length", "one row", "rows a quotient apart", "rows a pass apart",
        "noise behind the end above the maximum", "rows of different maxima",
        "all equal", "all -128", "all 127", "one outlier", "strictly increasing", "strictly decreasing",
        "maximum in the first lane", "maximum in the last lane", "maximum only in the first beat",
        "maximum only in the last beat", "i0 1", "i0 2**23", "n 1", "n 31", "left bound reached",
        "an exponential saturates", "sum saturates within a beat", "sum saturates over beats", "sum 2",
        "sum differs from the last row's", "f 0", "f below 2**17", "f above 2**34", "R 15", "R 31", "R 46",
        "p 32767", "p 0", "p odd", "narrow", "narrow drops bits",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes, most = self.core.lanes, self.core.max_length
        sixteen = min(DIVIDE * lanes, most)
        lengths = sorted({min(k, most) for k in (1, lanes - 1, lanes, 2 * lanes + 1, 5 * lanes) if k > 0})
        for length in lengths:
            for name, scores in _shapes(length, lanes, rng):
                yield self._transaction(f"{name}, {length}", scores, Constants(), rng)
        # Rows of other lengths between them: several are in flight when rows are short.
        for rows, length in ((9, 1), (3, sixteen), (6, min(3 * lanes, most)), (2, min(sixteen + 1, most))):
            scores = _rows(rng, rows, length)
            yield self._transaction(f"{rows} rows of {length}", scores, Constants(), rng)
        for bits in (15, 31, 46):
            for i0, n in (
                (1, 1),
                (1, 15),
                (16, 15),
                (2**23, 1),
                (2**23, 15),
                (1, 31),
                (2**23, 31),
                (400, 8),
            ):
                for narrow in (0, 1):
                    constants = Constants(i0, n, bits, narrow)
                    scores = _rows(rng, 3, min(2 * lanes + 1, most))
                    scores[1] = LOW
                    scores[1, 0] = HIGH
                    yield self._transaction(str(constants), scores, constants, rng)
                    yield self._transaction(f"{constants}, alone", scores[:2, :1], constants, rng)
        for bit in range(24):
            scores = _rows(rng, 2, min(2 * lanes, most))
            yield self._transaction(f"i0 2**{bit}", scores, Constants(2**bit), rng)
        beat_fits = Constants(1, 31 - lanes.bit_length())
        yield self._transaction("sum grows", np.zeros((2, min(5 * lanes, most)), int), beat_fits, rng)
        yield self._transaction("one row", _rows(rng, 1, min(3 * lanes, most)), Constants(), rng)
        longest = np.concatenate([_rows(rng, 1, most), np.zeros((1, most), int)])
        yield self._transaction("longest rows", longest, Constants(reciprocal_bits=46), rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes, most = self.core.lanes, self.core.max_length
        while True:
            beats = int(rng.choice([1, 2, 3, DIVIDE + 2]))
            length = int(rng.integers(1, beats * lanes + 1)) if rng.random() < 0.7 else beats * lanes
            scores = _rows(rng, int(rng.integers(1, 8)), min(length, most))
            constants = Constants(i0=int(2 ** rng.uniform(0, 8)), narrow=int(rng.random() < 0.3))
            if rng.random() < 0.6:
                constants = Constants(
                    i0=int(rng.choice([1, int(2 ** rng.uniform(0, 23)), 2**23])),
                    n=int(rng.integers(1, 32)),
                    reciprocal_bits=int(rng.integers(15, 47)),
                    narrow=constants.narrow,
                )
            yield self._transaction("random", scores, constants, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """Every difference in any lane with every n. With a large n the sum saturates, and p then shows
        exponentials that are far below the maximum's."""
        rng = np.random.default_rng(0)
        every = np.arange(LOW, HIGH + 1)
        for n in range(1, 32):
            for i0 in (*range(1, 33), 46, 92, 184, 368, 736):
                constants = Constants(i0, n, int(rng.choice([31, 46])))
                yield self._transaction("every difference", rng.permutation(every)[None], constants, rng)

    def _transaction(
        self, name: str, scores: Ints, constants: Constants, rng: np.random.Generator
    ) -> Transaction:
        rows, length = scores.shape
        lanes = self.core.lanes
        beats = to_beats(scores, lanes, rng)
        p = shiftmax(
            scores,
            constants.i0,
            n=constants.n,
            reciprocal_bits=constants.reciprocal_bits,
            out_bits=8 if constants.narrow else 16,
        )
        command = {"rows": rows, "length": length, **asdict(constants)}
        bins = {*self._shape_bins(scores, beats), *_value_bins(scores, lanes, constants)}
        return Transaction(
            name=name,
            inputs={"command": {k: np.array([v]) for k, v in command.items()}, "i": {"": beats}},
            output={"": to_beats(p, lanes)},
            values=p.size,
            cycles=isa.Shiftmax.unit_cycles(rows, ceil_div(length, lanes)),
            bins=frozenset(bins),
        )

    def _shape_bins(self, scores: Ints, beats: Ints) -> Iterator[str]:
        (rows, length), lanes = scores.shape, self.core.lanes
        count = -(-length // lanes)
        top = scores.max(axis=1)
        behind = beats.reshape(rows, -1)[:, length:]
        at = scores == top[:, None]
        steps = np.diff(scores)
        lowest_but_one = (scores == LOW).sum(axis=1) == length - 1
        yield "row fills whole beats" if length % lanes == 0 else "ragged row"
        for name, hit in (
            ("row of 1", length == 1),
            ("row shorter than a beat", length < lanes),
            ("row of one beat", count == 1),
            ("row of max_length", length == self.core.max_length),
            ("one row", rows == 1),
            ("rows a quotient apart", rows > 1 and count < DIVIDE),
            ("rows a pass apart", rows > 1 and count >= DIVIDE),
            ("noise behind the end above the maximum", behind > top[:, None]),
            ("rows of different maxima", top != top[0]),
            ("all equal", (at.all(axis=1)) & (length > 1)),
            ("all -128", top == LOW),
            ("all 127", (scores == HIGH).all(axis=1)),
            ("one outlier", lowest_but_one & (top == HIGH) & (length > 1)),
            ("strictly increasing", (steps > 0).all(axis=1) & (length > 2)),
            ("strictly decreasing", (steps < 0).all(axis=1) & (length > 2)),
            ("maximum in the first lane", at[:, ::lanes].any(axis=1)),
            ("maximum in the last lane", at[:, lanes - 1 :: lanes].any(axis=1)),
            ("maximum only in the first beat", ~at[:, lanes:].any(axis=1) & (count > 1)),
            ("maximum only in the last beat", ~at[:, : (count - 1) * lanes].any(axis=1) & (count > 1)),
        ):
            if np.any(hit):
                yield name


def _value_bins(scores: Ints, lanes: int, constants: Constants) -> Iterator[str]:
    """What the numbers on the way exercise."""
    i0, n, bits = constants.i0, constants.n, constants.reciprocal_bits
    d = scores - scores.max(axis=1, keepdims=True)
    exact = shift_exp(d, i0, n=n, lam=1)
    e = np.minimum(exact, I31)
    s = np.minimum(e.sum(axis=1), I31)
    beat_sums = to_beats(e, lanes).sum(axis=1).reshape(len(e), -1)
    f = (2**bits - 1) // s
    p = shiftmax(scores, i0, n=n, reciprocal_bits=bits)
    for name, hit in (
        ("i0 1", i0 == 1),
        ("i0 2**23", i0 == 2**23),
        ("n 1", n == 1),
        ("n 31", n == 31),
        ("left bound reached", -(d + (d >> 1) - (d >> 4)) >= n * i0),
        ("an exponential saturates", exact > I31),
        ("sum saturates within a beat", beat_sums > I31),
        ("sum saturates over beats", (beat_sums <= I31).all(axis=1) & (beat_sums.sum(axis=1) > I31)),
        ("sum 2", s == 2),
        ("sum differs from the last row's", s[1:] != s[:-1]),
        ("f 0", f == 0),
        ("f below 2**17", (f > 0) & (f < 2**17)),
        ("f above 2**34", f >= 2**34),
        *((f"R {k}", bits == k) for k in (15, 31, 46)),
        ("p 32767", p == 32767),
        ("p 0", p == 0),
        ("p odd", p & 1 == 1),
        ("narrow", constants.narrow == 1),
        ("narrow drops bits", (constants.narrow == 1) & (p & 255 > 0)),
    ):
        if np.any(hit):
            yield name


def _shapes(length: int, lanes: int, rng: np.random.Generator) -> Iterator[tuple[str, Ints]]:
    """Rows that are special by where their maximum is and what surrounds it."""
    flat = np.zeros((3, length), int)
    flat[0], flat[1], flat[2] = LOW, HIGH, 5
    yield "all equal", flat
    for at in sorted({0, length // 2, length - 1, max(length - lanes, 0)}):
        one = np.full((2, length), LOW)
        one[0, at], one[1, at] = HIGH, LOW + 1
        yield f"one outlier at {at}", one
    if length <= 256:
        ramp = np.arange(length) + LOW
        yield "ramps", np.stack([ramp, ramp[::-1]])


def _rows(rng: np.random.Generator, rows: int, length: int) -> Ints:
    """Rows of several distributions."""
    x = rng.integers(LOW, HIGH + 1, (rows, length))
    for row in x:
        kind = rng.integers(4)
        if kind == 0:
            row[:] = np.clip(rng.normal(rng.integers(-60, 60), 10, length), LOW, HIGH)
        elif kind == 1:
            row[:] = rng.integers(LOW, HIGH + 1)
        elif kind == 2:
            row[:] = LOW
            row[rng.integers(length)] = rng.integers(LOW, HIGH + 1)
    return x


CHECK = UnitCheck(
    ShiftmaxBench,
    "intarsia.model.integer.arithmetic.shiftmax",
    "Shiftmax",
    {
        **protocol("shiftmax", partial(Shiftmax, lanes=1, max_length=4), 70),
        **balance(
            "shiftmax",
            partial(Shiftmax, lanes=2, max_length=4),
            {"rows": 2, "length": 3},
            per_pair,
            {"i": per_pair},
            90,
            at_once=True,
        ),
        **ring("shiftmax-scores", Shiftmax, 20, ("scores.written", "scores.taken"), 70),
        **ring("shiftmax-exponentials", Shiftmax, 20, ("exponentials.written", "exponentials.taken"), 90),
    },
)
