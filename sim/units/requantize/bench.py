"""Stimulus and expectation for the requantizer, for both widths of its multipliers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from intarsia.arch.isa.matmul import requantize_unit
from intarsia.model.integer.arithmetic import dyadic, requantize, rshift_rhe
from intarsia.sim.transaction import Bench, Ints, Transaction

LOW, HIGH = -(2**31), 2**31 - 1

ROUNDING_BINS = (
    "quotient exact", "positive tie rounds down", "positive tie rounds up", "negative tie rounds down",
    "negative tie rounds up", "1/2 rounds to 0", "-1/2 rounds to 0", "just below a tie",
    "just above a tie", "1/2 and one more bit", "8 bits saturate above", "8 bits saturate below",
    "16 bits saturate above", "16 bits saturate below", "8 bits: largest exactly",
    "8 bits: smallest exactly", "16 bits: largest exactly", "16 bits: smallest exactly",
    "tie above the largest", "tie below the smallest", "c = 0", "c = 1", "c = 63",
)  # fmt: skip
"""What `rounding_bins` yields."""


def rounding_bins(p: Ints, c: Ints, bits: int) -> Iterator[str]:
    """What sat_bits(RHE(p / 2**c)) exercises."""
    c = np.broadcast_to(c, p.shape)
    floor, q = p >> c, rshift_rhe(p, c)
    rest = p & ~(np.int64(-1) << c)
    half = np.where(c > 0, np.int64(1) << np.maximum(c - 1, 0), 0)
    tie = (c > 0) & (rest == half)
    more = np.where(c > 0, rest - half, 0)
    lowest, highest = -(1 << bits - 1), (1 << bits - 1) - 1
    found = {
        "quotient exact": (c > 0) & (rest == 0) & (p != 0),
        "positive tie rounds down": tie & (p > 0) & (q == floor),
        "positive tie rounds up": tie & (p > 0) & (q > floor),
        "negative tie rounds down": tie & (p < 0) & (q == floor),
        "negative tie rounds up": tie & (p < 0) & (q > floor),
        "1/2 rounds to 0": tie & (p == half),
        "-1/2 rounds to 0": tie & (p == -half),
        "just below a tie": (c > 1) & (rest == half - 1),
        "just above a tie": (c > 1) & (rest == half + 1),
        "1/2 and one more bit": (floor == 0) & (more > 1) & (more & (more - 1) == 0),
        f"{bits} bits saturate above": q > highest,
        f"{bits} bits saturate below": q < lowest,
        f"{bits} bits: largest exactly": q == highest,
        f"{bits} bits: smallest exactly": q == lowest,
        "tie above the largest": tie & (floor == highest),
        "tie below the smallest": tie & (floor == lowest - 1),
    }
    found |= {f"c = {shift}": c == shift for shift in (0, 1, 63)}
    yield from (name for name, hit in found.items() if hit.any())


def corner_products(c: int) -> list[int]:
    """Products whose quotient by 2**c is a tie, an integer, or an end of an output range, or beside one,
    and 1/2 with one more bit, which may be any of those below."""
    ends = [end + step for end in (-(2**15), -(2**7), 2**7, 2**15) for step in (-2, -1, 0, 1)]
    halves = [2 * end + step for end in [*ends, 0] for step in (-1, 0, 1)] + [-5, -3, 3, 5]
    exact = [half << c - 1 if c else half // 2 for half in halves]
    lone = [(1 << c - 1) + (1 << bit) for bit in range(c - 1)]
    return sorted({p + beside for p in exact for beside in (-1, 0, 1)} | {*lone} | {-p for p in lone})


class RequantizeBench(Bench):
    """`model.integer.arithmetic.requantize` of accumulators with a bias (docs/numerics.md, section 2)."""

    BINS: ClassVar[tuple[str, ...]] = (
        *ROUNDING_BINS, "b = 0", "b most negative", "b most positive", "x most negative",
        "x most positive", "bias most negative", "bias most positive", "the bias changes the sign",
        "x + bias wraps", "largest product", "constants of all lanes differ",
        "shared, other lanes hold others", "one row", "many rows",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        m = self.core.multiplier_bits
        lowest, highest = -(1 << m - 1), (1 << m - 1) - 1
        pairs = [(1, c) for c in (0, 1, 2, 5, 14, 15, 16, 17, 30)] + [(-1, c) for c in (1, 8, 15, 16)]
        pairs += [(2, 16), (-2, 17), (1 << m - 2, 20), (3, 4), (12345, 21), (-23456, 22), (0, 0), (0, 63)]
        pairs += [(16, 34), (1 << m - 2, m + 28)]
        pairs += [(b, c) for b in (lowest, highest) for c in (0, 1, 15, 16, 30, 31, 32, 47, 48, 62, 63)]
        for b, c in pairs:
            sums = self._corner_sums(b, c)
            for wide in (0, 1):
                yield self._shared(f"b = {b}, c = {c}, wide = {wide}", sums, b, c, wide, rng)
        lanes = self.core.lanes
        for wide in (0, 1):
            bs = rng.integers(lowest, highest, lanes)
            cs = rng.permutation(np.arange(max(lanes, 64)) % 64)[:lanes]
            bias = rng.integers(LOW, HIGH, lanes)
            constants = zip(bs.tolist(), cs.tolist(), strict=True)
            x = np.stack([rng.choice(self._corner_sums(b, c), 40) for b, c in constants], axis=1)
            yield self._transaction("constants by lane", _wrapped(x - bias), bias, bs, cs, wide, 0)
        one = np.ones(lanes, np.int64)
        for bias in (LOW, -1000, 0, 1000, HIGH):
            x = np.resize([LOW, -1000, -999, 0, 999, 1000, HIGH, *rng.integers(LOW, HIGH, 5)], (12, lanes))
            yield self._transaction(f"bias {bias}", x, bias * one, highest * one, (m + 15) * one, 1, 1)
        for rows in (1, 2, 3):
            x = rng.integers(LOW, HIGH, (rows, lanes))
            yield self._transaction(f"{rows} rows", x, 0 * one, highest * one, (m + 15) * one, 1, 0)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        m, lanes = self.core.multiplier_bits, self.core.lanes
        while True:
            wide, shared = (int(bit) for bit in rng.integers(0, 2, 2))
            rows = int(rng.choice([1, 2, 3, 7, 30, 100]))
            b, c = dyadic(np.exp2(rng.uniform(-16, -4, lanes)), m)
            if rng.random() < 0.4:
                b = rng.choice([-1, 1], lanes) * (b >> rng.integers(0, m, lanes))
                c = rng.integers(0, 64, lanes)
            quotients = rng.normal(0, rng.choice([40, 10000]), (rows, lanes))
            exact = np.rint(quotients * np.exp2(c) / np.where(b == 0, 1, b))
            sums = np.clip(exact, LOW, HIGH).astype(np.int64)
            if rng.random() < 0.3:
                sums = rng.choice([LOW, LOW + 1, -1, 0, 1, HIGH - 1, HIGH, *sums.flat], (rows, lanes))
            reach = int(rng.choice([50000, HIGH]))
            bias = rng.integers(-reach, reach, lanes)
            yield self._transaction("random", _wrapped(sums - bias), bias, b, c, wide, shared)

    def exhaustive(self) -> Iterator[Transaction]:
        """All ties within 16 bits, and some beyond, of the shifts 1..20."""
        lanes = self.core.lanes
        # In order, every lane of an even number of them would get ties to one side only.
        odd = np.random.default_rng(0).permutation(np.arange(-(2**16) - 15, 2**16 + 16, 2))
        zero = np.zeros(lanes, np.int64)
        for c in range(1, 21):
            doublings = max(c - 15, 0)  # for b, where x would leave int32
            x = np.resize(odd << c - 1 - doublings, (-(-odd.size // lanes), lanes))
            for wide in (0, 1):
                for part in np.array_split(x, -(-len(x) // 65535)):
                    b, shifts = zero + (1 << doublings), zero + c
                    yield self._transaction(f"ties at c = {c}", part, zero, b, shifts, wide, 1)

    def _corner_sums(self, b: int, c: int) -> list[int]:
        """Accumulators that b brings to the corners, as near as it can."""
        near = [p // b + step for p in corner_products(c) for step in (0, 1)] if b else []
        return sorted({LOW, LOW + 1, -1, 0, 1, HIGH - 1, HIGH, *(x for x in near if LOW <= x <= HIGH)})

    def _shared(
        self, name: str, sums: list[int], b: int, c: int, wide: int, rng: np.random.Generator
    ) -> Transaction:
        """The constants in lane 0; what stands in the others must not matter."""
        lanes, m = self.core.lanes, self.core.multiplier_bits
        bias = rng.integers(LOW, HIGH, lanes)
        bs, cs = rng.integers(-(1 << m - 1), 1 << m - 1, lanes), rng.integers(0, 64, lanes)
        bs[0], cs[0] = b, c
        x = np.resize(np.array(sums), (-(-len(sums) // lanes), lanes))
        return self._transaction(name, _wrapped(x - bias[0]), bias, bs, cs, wide, 1)

    def _transaction(
        self, name: str, x: Ints, bias: Ints, b: Ints, c: Ints, wide: int, shared: int
    ) -> Transaction:
        command = {"rows": np.array([len(x)]), "wide": np.array([wide]), "shared": np.array([shared])}
        constants = {"bias": bias[None], "b": b[None], "c": c[None]}
        used = [field[:, :1] if shared else field for field in constants.values()]
        sums = _wrapped(x + used[0])
        bits = 16 if wide else 8
        return Transaction(
            name=name,
            inputs={"command": command | constants, "i": {"": x}},
            output={"": requantize(sums, used[1], used[2], out_bits=bits)},
            values=x.size,
            cycles=requantize_unit(len(x)),
            bins=frozenset(self._bins(x, sums, bias, b, c, shared, used))
            | frozenset(rounding_bins(sums * used[1], used[2], bits)),
        )

    def _bins(
        self, x: Ints, sums: Ints, bias: Ints, b: Ints, c: Ints, shared: int, used: list[Ints]
    ) -> Iterator[str]:
        lowest, highest = -(1 << self.core.multiplier_bits - 1), (1 << self.core.multiplier_bits - 1) - 1
        for name, values, value in (
            ("b = 0", used[1], 0),
            ("b most negative", used[1], lowest), ("b most positive", used[1], highest),
            ("x most negative", x, LOW), ("x most positive", x, HIGH),
            ("bias most negative", used[0], LOW), ("bias most positive", used[0], HIGH),
            ("largest product", sums * used[1], LOW * lowest),
        ):  # fmt: skip
            if (values == value).any():
                yield name
        exact = x + used[0]
        if ((exact == sums) & (x != 0) & (sums != 0) & ((x < 0) != (sums < 0))).any():
            yield "the bias changes the sign"
        if (exact != sums).any():
            yield "x + bias wraps"
        distinct = {*zip(bias.tolist(), b.tolist(), c.tolist(), strict=True)}
        if shared and len(distinct) > 1:
            yield "shared, other lanes hold others"
        if not shared and len(distinct) == self.core.lanes:
            yield "constants of all lanes differ"
        yield "one row" if len(x) == 1 else "many rows"


def _wrapped(v: Ints) -> Ints:
    """v modulo 2**32, as int32 sums are."""
    return (v + 2**31) % 2**32 - 2**31
