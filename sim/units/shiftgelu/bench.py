"""Stimulus and expectation for `hw.units.shiftgelu.core.Shiftgelu`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from intarsia.arch import isa
from intarsia.arch.duration import ceil_div
from intarsia.model.integer.arithmetic import (
    GELU_FORMS,
    I31,
    dyadic,
    gelu_i0,
    gelu_sigmoid,
    requantize,
    shift_exp,
    shiftgelu,
)
from intarsia.sim.transaction import Bench, Ints, Transaction, to_beats

LOW, HIGH = -128, 127
LARGEST_I0 = 2**23
LARGEST_LAM = 65535
"""As a left bound it is none: no argument reaches it."""
SHIFT, LAMBDA, ELEMENT = GELU_FORMS


class ShiftgeluBench(Bench):
    """ShiftGELU and its requantization: `model.integer.arithmetic.shiftgelu`, `requantize`."""

    BINS: ClassVar[tuple[str, ...]] = (
        *(f"form {form}" for form in GELU_FORMS), "all equal", "all negative", "all -128",
        "one outlier", "maximum in the first of several beats", "maximum in the last of several beats",
        "maxima of rows differ", "noise behind the end above the maximum",
        "positive argument, e2 below I31", "positive argument, e2 saturates", "e1 saturates",
        "s saturates, e1 and e2 do not", "q beyond n", "left bound met", "no left bound",
        "left bound of 63 or more", "s = 0, x > 0", "s = 0, x < 0", "s = 0, x = 0",
        "sigmoid 0, s > 0", "sigmoid 64", "sigmoid 127, x < 0", "i0 = 1", "largest i0", "n = 1", "n = 31",
        "tie rounds down", "tie rounds up", "8 bits saturate above", "8 bits saturate below",
        "16 bits saturate above", "16 bits saturate below", "outputs of 8 and of 16 bits differ",
        "c = 0", "c = 63", "row of 1", "row of one beat", "ragged row", "row fills whole beats",
        "longest row", "one row", "many rows",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes, longest = self.core.lanes, self.core.max_length
        lengths = [n for n in (1, 3 * lanes, lanes, lanes + 1, 2, 2 * lanes - 1, 5) if n <= longest]
        for form in GELU_FORMS:
            for length in lengths:
                x = rng.integers(LOW, HIGH + 1, (3, length))
                yield self._typical(f"{form}, rows of {length}", x, form, 4.0, rng)
            for largest in (1.0, 8.0, 12.0, 40.0):
                yield self._typical(f"{form}, up to {largest}", _rows(rng, 3, 40), form, largest, rng)
            for value in (LOW, -40, -1, 0, 1, HIGH):
                x = np.full((2, lanes + 1), value)
                yield self._typical(f"{form}, all {value}", x, form, 8.0, rng)
                yield self._raw(f"{form}, all {value}, i0 = 1", x, form, 1, rng)
            outlier = rng.integers(-20, 20, (4, 3 * lanes + 1))
            outlier[[0, 1, 2], [0, -1, lanes]] = HIGH
            outlier[:2, 1] = 0
            for i0 in (1, 2, 3, 5, 9, 4096, LARGEST_I0):
                yield self._raw(f"{form}, one outlier, i0 = {i0}", outlier, form, i0, rng)
            for n in (1, 7, 31):
                for lam in (0, 1, 3, 62, 63, 64, LARGEST_LAM):
                    if lam or form != ELEMENT:
                        yield self._raw(f"{form}, n = {n}, lam = {lam}", outlier, form, 4, rng, n, lam)
            yield self._raw(f"{form}, sum at I31", outlier, form, 600, rng, 21)
            typical = _rows(rng, 2, 3 * lanes)
            for wide in (0, 1):
                for b, c in (
                    (1, 1),
                    (-3, 2),
                    (2**31 - 1, 0),
                    (-(2**31), 0),
                    (2**31 - 1, 44),
                    (-5, 63),
                    (0, 7),
                ):
                    name = f"{form}, b = {b}, c = {c}"
                    yield self._transaction(name, typical, form, 30, b, c, wide, rng)
        yield self._typical("longest row", _rows(rng, 1, longest), LAMBDA, 6.0, rng)
        yield self._typical("many rows of 1", rng.integers(LOW, HIGH + 1, (1030, 1)), LAMBDA, 6.0, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes, longest = self.core.lanes, self.core.max_length
        while True:
            beats = int(rng.choice([1, 2, 3, 20], p=[0.4, 0.25, 0.25, 0.1]))
            length = beats * lanes if rng.random() < 0.3 else int(rng.integers(1, beats * lanes + 1))
            x = _rows(rng, int(rng.integers(1, 7)), min(length, longest))
            form = str(rng.choice(list(GELU_FORMS)))
            if rng.random() < 0.5:
                yield self._typical("random rows", x, form, float(rng.uniform(0.1, 50)), rng)
                continue
            i0 = int(2 ** rng.uniform(0, 23))
            n = int(rng.integers(1, 32)) if rng.random() < 0.7 else None
            lam = int(2 ** rng.uniform(0, 7)) if rng.random() < 0.5 else None
            b = int(rng.integers(-(2**31), 2**31)) >> int(rng.integers(32))
            c = max(abs(b).bit_length() + int(rng.integers(-12, 12)), 0)
            wide = int(rng.integers(2))
            yield self._transaction("random constants", x, form, i0, b, min(c, 63), wide, rng, n, lam)

    def exhaustive(self) -> Iterator[Transaction]:
        """The element form of every input for every i0 up to 4096, the product itself."""
        length = 1 << min(256, self.core.max_length).bit_length() - 1
        x = np.arange(LOW, HIGH + 1).reshape(-1, length)
        rng = np.random.default_rng(0)
        for i0 in range(1, 4097):
            yield self._raw(f"all inputs, i0 = {i0}", x, ELEMENT, i0, rng)

    def _typical(
        self, name: str, x: Ints, form: str, largest: float, rng: np.random.Generator
    ) -> Transaction:
        """Constants as a network has them whose activations reach `largest`."""
        scale = largest / 127
        wide = int(rng.integers(2))
        target = scale * rng.uniform(0.5, 1.1) / (256 if wide else 1)
        b, c = dyadic(scale / 128 / target, int(rng.choice([16, 32])))
        return self._transaction(name, x, form, gelu_i0(scale, form), b, c, wide, rng)

    def _raw(
        self,
        name: str,
        x: Ints,
        form: str,
        i0: int,
        rng: np.random.Generator,
        n: int | None = None,
        lam: int | None = None,
    ) -> Transaction:
        """The product itself."""
        return self._transaction(name, x, form, i0, 1, 0, 1, rng, n, lam)

    def _transaction(
        self,
        name: str,
        x: Ints,
        form: str,
        i0: int,
        b: int,
        c: int,
        wide: int,
        rng: np.random.Generator,
        n: int | None = None,
        lam: int | None = None,
    ) -> Transaction:
        """n and lam None are the form's own; lam = 0 is no left bound."""
        rows, length = x.shape
        n = GELU_FORMS[form].n if n is None else n
        lam = (GELU_FORMS[form].lam or 0) if lam is None else lam
        command = {
            "rows": rows,
            "length": length,
            "i0": i0,
            "n": n,
            "lam": lam,
            "scaled": form == LAMBDA,
            "element": form == ELEMENT,
            "b": b,
            "c": c,
            "wide": wide,
        }
        beats = to_beats(x, self.core.lanes, rng, bits=8)
        product = shiftgelu(x, i0, form=form, n=n, lam=lam or LARGEST_LAM).astype(np.int64)
        out = requantize(product, b, c, out_bits=16 if wide else 8).astype(np.int64)
        return Transaction(
            name=name,
            inputs={
                "command": {field: np.array([int(value)]) for field, value in command.items()},
                "i": {"": beats},
            },
            output={"": to_beats(out, self.core.lanes)},
            values=out.size,
            cycles=isa.Gelu.unit_cycles(rows, ceil_div(length, self.core.lanes)),
            bins=frozenset(
                (
                    f"form {form}",
                    *self._row_bins(x, beats, form),
                    *_exponential_bins(x, form, i0, n, lam),
                    *_output_bins(product, b, c, wide),
                )
            ),
        )

    def _row_bins(self, x: Ints, beats: Ints, form: str) -> Iterator[str]:
        rows, length = x.shape
        lanes = self.core.lanes
        per_row = -(-length // lanes)
        top = x.max(axis=1)
        yield "one row" if rows == 1 else "many rows"
        yield "ragged row" if length % lanes else "row fills whole beats"
        if length == 1:
            yield "row of 1"
        if per_row == 1:
            yield "row of one beat"
        if length == self.core.max_length:
            yield "longest row"
        if length > 1 and (x == x[:, :1]).all(axis=1).any():
            yield "all equal"
        if (x == LOW).all(axis=1).any():
            yield "all -128"
        if form == ELEMENT:
            return
        if (top < 0).any():
            yield "all negative"
        if np.unique(top).size > 1:
            yield "maxima of rows differ"
        behind = beats.reshape(rows, -1)[:, length:]
        if behind.size and (behind.max(axis=1) > top).any():
            yield "noise behind the end above the maximum"
        if length > 2 and (top - np.sort(x, axis=1)[:, -2] > 80).any():
            yield "one outlier"
        if per_row > 1:
            unique = (x == top[:, None]).sum(axis=1) == 1
            beat = np.where(unique, x.argmax(axis=1) // lanes, -1)
            if (beat == 0).any():
                yield "maximum in the first of several beats"
            if (beat == per_row - 1).any():
                yield "maximum in the last of several beats"


def _rows(rng: np.random.Generator, count: int, length: int) -> Ints:
    """Rows of one kind each: wide or narrow, around 0 or far from it, with an outlier or not."""
    spread = rng.choice([0, 2, 20, 128], (count, 1))
    rows = rng.integers(-spread, spread + 1, (count, length)) + rng.choice(
        [0, 0, -60, 60, -200], (count, 1)
    )
    rows[np.arange(count), rng.integers(0, length, count)] += rng.choice([0, 100, 250], count)
    return np.clip(rows, LOW, HIGH)


def _exponential_bins(x: Ints, form: str, i0: int, n: int, lam: int) -> Iterator[str]:
    argument = x + (x >> 1) + (x >> 3) + (x >> 4) if form == LAMBDA else x
    m = np.maximum(argument, 0) if form == ELEMENT else argument.max(axis=1, keepdims=True)
    m = np.broadcast_to(m, x.shape)
    e1, e2 = (shift_exp(d, i0, n=n, lam=lam or None) for d in (argument - m, -m))
    s = e1 + e2
    d = argument - m
    p = d + (d >> 1) - (d >> 4)
    bound = lam * n * i0 if lam else 2**40
    sigmoid = gelu_sigmoid(x, i0, form=form, n=n, lam=lam or LARGEST_LAM)
    where = {
        "positive argument, e2 below I31": (m < 0) & (e2 < I31),
        "positive argument, e2 saturates": (m < 0) & (e2 >= I31),
        "e1 saturates": e1 > I31,
        "s saturates, e1 and e2 do not": (s > I31) & (e1 <= I31) & (e2 < I31),
        "q beyond n": (np.minimum(-p, bound) // i0 > n) & (bound > n * i0),
        "left bound met": -p > bound,
        "s = 0, x > 0": (s == 0) & (x > 0),
        "s = 0, x < 0": (s == 0) & (x < 0),
        "s = 0, x = 0": (s == 0) & (x == 0),
        "sigmoid 0, s > 0": (sigmoid == 0) & (s > 0),
        "sigmoid 64": (sigmoid == 64) & (s > 0),
        "sigmoid 127, x < 0": (sigmoid == 127) & (x < 0),
    }
    yield from (name for name, hit in where.items() if hit.any())
    for name, hit in (
        ("no left bound", lam == 0),
        ("left bound of 63 or more", lam * n >= 63),
        ("i0 = 1", i0 == 1),
        ("largest i0", i0 == LARGEST_I0),
        ("n = 1", n == 1),
        ("n = 31", n == 31),
    ):
        if hit:
            yield name


def _output_bins(product: Ints, b: int, c: int, wide: int) -> Iterator[str]:
    """Bins of the requantization."""
    scaled = product * b
    floor = scaled >> c
    tie = (2 * (scaled - (floor << c)) == 1 << c) if c else np.zeros(scaled.shape, bool)
    rounded = requantize(product, b, c, out_bits=32).astype(np.int64)
    top = 1 << (15 if wide else 7)
    bits = 16 if wide else 8
    where = {
        "tie rounds down": tie & (floor % 2 == 0),
        "tie rounds up": tie & (floor % 2 == 1),
        f"{bits} bits saturate above": rounded >= top,
        f"{bits} bits saturate below": rounded < -top,
        "outputs of 8 and of 16 bits differ": (rounded > HIGH) | (rounded < LOW),
    }
    yield from (name for name, hit in where.items() if hit.any())
    if c in (0, 63):
        yield f"c = {c}"
