"""Stimulus, expectation and proofs for `hw.units.residual.core.Residual`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from intarsia.arch import isa
from intarsia.arch.duration import ceil_div
from intarsia.hw.units.residual.core import Residual
from intarsia.model.integer.arithmetic import dyadic, residual, rshift_rhe
from intarsia.sim.formal.core_proofs import balance, per_pair, protocol
from intarsia.sim.transaction import Bench, Ints, Transaction, counter_sizes, to_beats
from intarsia.sim.unit_check import UnitCheck
from intarsia.sim.units.requantize.bench import corner_products

LOW, HIGH = -(2**15), 2**15 - 1
B_LOW, B_HIGH = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Scales:
    """x * b1 / 2**c1 + identity * b2 / 2**c2"""

    b1: int
    c1: int
    b2: int
    c2: int


class ResidualBench(Bench):
    """`model.integer.arithmetic.residual` (docs/numerics.md, section 2)."""

    BINS: ClassVar[tuple[str, ...]] = (
        "tie of x rounds down", "tie of x rounds up", "tie of identity rounds down",
        "tie of identity rounds up", "both terms are ties, one up, one down", "both ties rounded up",
        "both ties rounded down", "two roundings differ from one", "negative tie",
        "sum saturates above", "sum saturates below", "sum 32767", "sum 32768", "sum -32768",
        "sum -32769", "a term saturates alone, the sum does not", "terms beyond 32 bits cancel",
        "largest term", "x -32768", "identity -32768", "x 32767", "identity 32767", "b = 0",
        "b most negative", "b most positive", "c = 0", "c = 1", "c = 63", "shifts 32 or more apart",
        "row of 1", "row of one beat", "row fills whole beats", "ragged row", "noise behind the end",
        "one row", "many rows",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        ends = [LOW, LOW + 1, -2, -1, 0, 1, 2, HIGH - 1, HIGH]
        scales = [Scales(1, c1, 1, c2) for c1 in (0, 1, 2) for c2 in (0, 1, 2)]
        scales += [Scales(-1, 1, 1, 1), Scales(1, 1, -1, 0), Scales(0, 0, 1, 0), Scales(5, 1, 0, 63)]
        scales += [Scales(B_HIGH, 0, B_LOW, 0), Scales(B_LOW, 0, B_LOW, 0), Scales(B_HIGH, 0, -B_HIGH, 0)]
        scales += [Scales(B_LOW, c1, B_HIGH, c2) for c1 in (15, 16, 31, 46) for c2 in (16, 47, 48, 63)]
        scales += [Scales(B_LOW, 47, B_LOW, 46), Scales(1 << 16, 32, 3 << 20, 0), Scales(3, 63, 7, 1)]
        for s in scales:
            x = _corners(s.b1, s.c1, rng) + ends
            identity = _corners(s.b2, s.c2, rng) + ends
            pairs = [(v, w) for v in ends for w in ends]
            pairs += zip(x + rng.permutation(x).tolist(), np.resize(identity, 2 * len(x)), strict=True)
            pairs += [(v, v) for v in x] + [(v, -v) for v in x if v > LOW]
            yield self._flat(f"{s}", np.array(pairs), s, rng)
        for length in sorted({1, 2, max(lanes - 1, 1), lanes, lanes + 1, 2 * lanes, 3 * lanes + 1}):
            for rows in (1, 2, 5):
                data = rng.integers(LOW, HIGH + 1, (2, rows, length))
                s = _typical(rng)
                yield self._transaction(f"{rows} rows of {length}", data[0], data[1], s, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        while True:
            beats = int(rng.choice([1, 2, 3, 20]))
            length = int(rng.integers(1, beats * lanes + 1)) if rng.random() < 0.7 else beats * lanes
            rows = int(rng.choice([1, 1, 2, 3, 9]))  # short: with every command come other scales
            spread = int(rng.choice([4, 300, HIGH]))
            data = rng.integers(-spread - 1, spread + 1, (2, rows, length))
            s = _typical(rng)
            if rng.random() < 0.4:
                b = rng.choice([-1, 1], 2) * (rng.integers(0, 2**31, 2) >> rng.integers(0, 31, 2))
                c = rng.integers(0, 64, 2)
                s = Scales(int(b[0]), int(c[0]), int(b[1]), int(c[1]))
            yield self._transaction("random", data[0], data[1], s, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """1/2 and one more bit, for every shift and every place that operands let that bit have, and
        plain ties; in x and, in another order, in identity. And long tensors."""
        cases = [(c, below) for c in range(1, MAX_TIE + 2) for below in range(min(c, 31))]
        other = np.random.default_rng(len(cases)).permutation(cases).tolist()
        for (c1, below1), (c2, below2) in zip(cases, other, strict=True):
            (b1, x), (b2, identity) = _lone_bit(c1, below1), _lone_bit(c2, below2)
            # Every lane gets every x, and every identity, in another pairing from command to command.
            turns = np.arange(len(x))[:, None] + np.arange(self.core.lanes)
            data = np.take(x, turns, mode="wrap"), np.take(identity, turns + c1 + c2, mode="wrap")
            rng = np.random.default_rng(c1)
            yield self._transaction(f"1/2 at c = {c1} and {c2}", *data, Scales(b1, c1, b2, c2), rng)
        rng = np.random.default_rng(0)
        for rows, length in counter_sizes(self.core.lanes):
            x, identity = rng.integers(LOW, HIGH + 1, (2, rows, length))
            yield self._transaction(f"{rows} rows of {length}", x, identity, _typical(rng), rng)

    def _flat(self, name: str, pairs: Ints, s: Scales, rng: np.random.Generator) -> Transaction:
        """Pairs [n, 2] of x and identity as ragged rows, the last one filled up from the first."""
        length = 4 * self.core.lanes + 1
        rows = -(-len(pairs) // length)
        x, identity = np.take(pairs, np.arange(rows * length), axis=0, mode="wrap").T
        return self._transaction(name, x.reshape(rows, length), identity.reshape(rows, length), s, rng)

    def _transaction(
        self, name: str, x: Ints, identity: Ints, s: Scales, rng: np.random.Generator
    ) -> Transaction:
        rows, length = x.shape
        lanes = self.core.lanes
        command = {"rows": rows, "length": length, "b1": s.b1, "c1": s.c1, "b2": s.b2, "c2": s.c2}
        beats = {"i": to_beats(x, lanes, rng, bits=16), "identity": to_beats(identity, lanes, rng, bits=16)}
        bins = {*_term_bins(x, identity, s), *self._row_bins(x, beats["i"])}
        return Transaction(
            name=name,
            inputs={"command": {field: np.array([value]) for field, value in command.items()}}
            | {stream: {"": values} for stream, values in beats.items()},
            output={"": to_beats(residual(x, s.b1, s.c1, identity, s.b2, s.c2), lanes)},
            values=x.size,
            cycles=isa.Residual.unit_cycles(rows, ceil_div(length, lanes)),
            bins=frozenset(bins),
        )

    def _row_bins(self, x: Ints, beats: Ints) -> Iterator[str]:
        rows, length = x.shape
        lanes = self.core.lanes
        if length == 1:
            yield "row of 1"
        if length <= lanes:
            yield "row of one beat"
        yield "ragged row" if length % lanes else "row fills whole beats"
        if beats.reshape(rows, -1)[:, length:].any():
            yield "noise behind the end"
        yield "one row" if rows == 1 else "many rows"


def _term_bins(x: Ints, identity: Ints, s: Scales) -> Iterator[str]:
    """What the two products, their roundings and their sum exercise."""
    found: dict[str, Any] = {}
    ties, ups, terms = [], [], []
    for name, values, b, c in (("x", x, s.b1, s.c1), ("identity", identity, s.b2, s.c2)):
        p = values * b
        q = rshift_rhe(p, c)
        tie = (p & (1 << c) - 1) == 1 << c - 1 if c else np.zeros(p.shape, np.bool_)
        up = tie & (q > p >> c)
        found |= {
            f"tie of {name} rounds up": up,
            f"tie of {name} rounds down": tie & ~up,
            f"{name} -32768": values == LOW,
            f"{name} 32767": values == HIGH,
        }
        ties.append(tie)
        ups.append(up)
        terms.append(q)
    total = terms[0] + terms[1]
    fits = (total >= LOW) & (total <= HIGH)
    both = ties[0] & ties[1]
    largest = np.maximum(np.abs(terms[0]), np.abs(terms[1]))
    found |= {
        "both terms are ties, one up, one down": both & (ups[0] != ups[1]),
        "both ties rounded up": both & ups[0] & ups[1],
        "both ties rounded down": both & ~ups[0] & ~ups[1],
        "negative tie": (ties[0] & (x * s.b1 < 0)) | (ties[1] & (identity * s.b2 < 0)),
        "sum saturates above": total > HIGH,
        "sum saturates below": total < LOW,
        "a term saturates alone, the sum does not": fits & (largest > HIGH + 1),
        "terms beyond 32 bits cancel": fits & (largest >= 2**32),
        "largest term": largest == 2**46,
    }
    found |= {f"sum {value}": total == value for value in (HIGH, HIGH + 1, LOW, LOW - 1)}
    if max(s.c1, s.c2) <= 15:
        exact = (x * s.b1 << 15 - s.c1) + (identity * s.b2 << 15 - s.c2)
        found["two roundings differ from one"] = rshift_rhe(exact, 15) != total
    yield from (name for name, hit in found.items() if hit.any())
    for name, value in (("b = 0", 0), ("b most negative", B_LOW), ("b most positive", B_HIGH)):
        if value in (s.b1, s.b2):
            yield name
    for c in (0, 1, 63):
        if c in (s.c1, s.c2):
            yield f"c = {c}"
    if abs(s.c1 - s.c2) >= 32:
        yield "shifts 32 or more apart"


MAX_TIE = 43
"""The highest bit that `_lone_bit` can put 1/2 at: a factor of 2**30, another of 3 * 2**13."""


def _lone_bit(c: int, below: int) -> tuple[int, list[int]]:
    """b, and x with x * b = k * (1/2 and the bit so many places below it), or of 1/2 alone for below = 0,
    for small k that share no factor with 2."""
    shift = min(c - 1 - below, 13)
    b = sum({1 << c - 1 - shift, 1 << c - 1 - below - shift})
    return b, [k << shift for k in (1, -1, 3, -3)]


def _corners(b: int, c: int, rng: np.random.Generator) -> list[int]:
    """Some int16 that b brings to a tie, an integer, or an end of the output's range, or beside one."""
    near = {p // b + step for p in corner_products(c) for step in (0, 1)} if b else {0}
    inside = [v for v in sorted(near) if LOW <= v <= HIGH]
    return rng.permutation(inside)[:40].tolist()


def _typical(rng: np.random.Generator) -> Scales:
    """Ratios of scales as trained networks have them."""
    (b1, b2), (c1, c2) = dyadic(np.exp2(rng.uniform(-4, 1, 2)), int(rng.choice([16, 32])))
    return Scales(int(b1), int(c1), int(b2), int(c2))


CHECK = UnitCheck(
    ResidualBench,
    "intarsia.model.integer.arithmetic.residual",
    "Requantization and residual",
    {
        **protocol("residual", partial(Residual, lanes=1), 20),
        **balance(
            "residual",
            partial(Residual, lanes=2),
            {"rows": 2, "length": 3},
            per_pair,
            {"i": per_pair, "identity": per_pair},
            24,
        ),
    },
)
