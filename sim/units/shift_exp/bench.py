"""Stimulus and expectation for `hw.units.shift_exp.core.ShiftExpVector`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from intarsia.hw.units.shift_exp.core import NO_CLAMP, ShiftExpVector, clamp
from intarsia.model.integer.arithmetic import I31, shift_exp
from intarsia.sim.transaction import Bench, Ints, Transaction

LOW, HIGH = -512, 511
FORMS = ((15, 1), (23, 1), (23, 6), (12, None))
"""n and lam of Shiftmax and of the three forms of ShiftGELU."""


class ShiftExpBench(Bench):
    """min(arithmetic.shift_exp, I31) of d, positive ones too (docs/numerics.md, section 5)."""

    BINS: ClassVar[tuple[str, ...]] = (
        "d 0", "d -255", "d -512", "d 511", "d of both signs in a beat", "i0 1", "i0 2**23",
        "i0 above every dividend", "n 1", "n 31", "no clamp", "clamp passed", "clamp met exactly",
        "one quotient before the clamp", "quotient 0", "quotient 62", "quotient above 63", "no remainder",
        "largest remainder", "shift left", "no shift", "shift right", "shift right drops bits", "e 0",
        "e in 31 bits", "e saturates at d <= 0", "d > 0, e fits", "d > 0, e saturates",
        "d > 0, no remainder", "d > 0, quotient above 63", "one beat", "many beats",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        every = np.arange(LOW, HIGH + 1)
        for n, lam in FORMS:
            for i0 in (1, 2, 3, 7, 12, 41, 367, 735, 736, 1023, 1024):
                yield self._transaction(f"every d, i0 {i0}", every, i0, n, lam)
        for n in (1, 2, 9, 30, 31):
            for i0, lam in ((1, 1), (1, 2), (1, None), (4, 1), (23, 2), (100, None), (736, 65535)):
                yield self._transaction(f"every d, i0 {i0}, n {n}", every, i0, n, lam)
            for i0 in (2**12, 2**22 - 1, 2**23 - 1, 2**23):
                yield self._transaction(f"i0 {i0}, n {n}", rng.choice(every, 64), i0, n, 1)
        yield self._transaction("one beat", np.array([-3]), 10, 15, 1)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        while True:
            n, lam = FORMS[rng.integers(len(FORMS))]
            if rng.random() < 0.5:
                n = int(rng.integers(1, 32))
                lam = (None, 1, 2, 3, 6, int(rng.integers(1, 64)), 65535)[rng.integers(7)]
            low, high = ((-255, 0), (-432, 216), (LOW, HIGH))[rng.integers(3)]
            d = rng.integers(low, high + 1, int(rng.integers(1, 6)) * self.core.lanes)
            yield self._transaction("random", d, int(2 ** rng.uniform(0, 23)), n, lam)

    def exhaustive(self) -> Iterator[Transaction]:
        """Every d of Shiftmax with every likely i0; every positive d of ShiftGELU with some; a command so
        long that every bit of its count counts."""
        for n, lam in FORMS:
            for i0 in range(1, 4097):
                yield self._transaction("every d <= 0", np.arange(-255, 1), i0, n, lam)
            for i0 in (*range(1, 257), *range(300, 4097, 61), 2**20 - 1, 2**23):
                yield self._transaction("every d > 0", np.arange(1, 217), i0, n, lam)
        every = np.arange(LOW, HIGH + 1)
        yield self._transaction("many beats", np.resize(every, (2**16 - 1) * self.core.lanes), 41, 15, 1)

    def _transaction(self, name: str, d: Ints, i0: int, n: int, lam: int | None) -> Transaction:
        lanes = self.core.lanes
        beats = -(-d.size // lanes)
        d = np.resize(d, (beats, lanes))
        exact = shift_exp(d, i0, n=n, lam=lam)
        command = {"rows": beats, "i0": i0, "n": n, "bound": clamp(n, lam)}
        return Transaction(
            name=name,
            inputs={"command": {k: np.array([v]) for k, v in command.items()}, "i": {"": d}},
            output={"": np.minimum(exact, I31)},
            values=d.size,
            cycles=beats + ShiftExpVector.OVERHEAD,
            bins=frozenset(_bins(d, i0, n, lam, exact)),
        )


def _bins(d: Ints, i0: int, n: int, lam: int | None, exact: Ints) -> Iterator[str]:
    p = d + (d >> 1) - (d >> 4)
    q, r = -p // i0, -p % i0
    bound = clamp(n, lam)
    falls, rises = d <= 0, d > 0
    inside = falls & (q < bound)
    left = n - 1 - np.minimum(q, bound)
    cut = falls & (left < 0) & (left > -25)
    v = 2 * i0 - np.where(inside, r, 0)
    yield "one beat" if len(d) == 1 else "many beats"
    if (falls.any(axis=1) & rises.any(axis=1)).any():
        yield "d of both signs in a beat"
    for name, hit in (
        ("i0 1", i0 == 1),
        ("i0 2**23", i0 == 2**23),
        ("i0 above every dividend", i0 > 736),
        ("n 1", n == 1),
        ("n 31", n == 31),
        ("no clamp", bound == NO_CLAMP),
        ("d 0", d == 0),
        ("d -255", d == -255),
        ("d -512", d == LOW),
        ("d 511", d == HIGH),
        ("clamp passed", falls & (q >= bound) & (q * i0 + r > bound * i0) & (bound < NO_CLAMP)),
        ("clamp met exactly", falls & (-p == bound * i0) & (bound < NO_CLAMP)),
        ("one quotient before the clamp", falls & (q == bound - 1) & (bound < NO_CLAMP)),
        ("quotient 0", falls & (q == 0)),
        ("quotient 62", inside & (q == 62)),
        ("quotient above 63", falls & (q > 63)),
        ("no remainder", inside & (q > 0) & (r == 0) & (i0 > 1)),
        ("largest remainder", inside & (r == i0 - 1) & (i0 > 1)),
        ("shift left", falls & (left > 0)),
        ("no shift", falls & (left == 0)),
        ("shift right", falls & (left < 0) & (exact > 0)),
        ("shift right drops bits", cut & (v & (1 << np.clip(-left, 0, 25)) - 1 > 0) & (exact > 0)),
        ("e 0", exact == 0),
        ("e in 31 bits", (exact >= 2**30) & (exact <= I31) & falls),
        ("e saturates at d <= 0", falls & (exact > I31)),
        ("d > 0, e fits", rises & (exact < I31)),
        ("d > 0, e saturates", rises & (exact >= I31)),
        ("d > 0, no remainder", rises & (r == 0) & (exact < I31)),
        ("d > 0, quotient above 63", rises & (q < -64)),
    ):
        if np.any(hit):
            yield name
