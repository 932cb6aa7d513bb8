"""Stimulus, expectation and proofs for `hw.units.argmax.core.Argmax`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from intarsia.arch import isa
from intarsia.arch.duration import ceil_div
from intarsia.hw.units.argmax.core import Argmax
from intarsia.sim.formal.core_proofs import balance, per_pair, per_row, protocol
from intarsia.sim.transaction import Bench, Ints, Transaction, counter_sizes, to_beats
from intarsia.sim.unit_check import UnitCheck

LOW, HIGH = -(2**15), 2**15 - 1


class ArgmaxBench(Bench):
    """The first maximum of rows of int16: numpy.argmax (docs/numerics.md, section 8)."""

    BINS: ClassVar[tuple[str, ...]] = (
        "one class", "all equal", "all -32768", "-32768 and one larger", "unique maximum",
        "tie within a beat", "tie across beats", "tie of neighbours", "a later score is less by one",
        "maximum in the first lane", "maximum in the last lane", "maximum in the first beat",
        "maximum in the last beat", "maximum in a beat between", "maximum is the row's last score",
        "maximum 32767", "maximum negative", "maximum 0", "row fills whole beats", "ragged row",
        "row of one beat", "row shorter than a beat", "noise behind the end above the maximum",
        "label above 255", "label above 32767", "one row", "many rows", "labels of a command differ",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        for length in (1, lanes, 3 * lanes, 3 * lanes + 1, max(lanes - 1, 1)):
            for name, value in (("all equal", 7), ("all lowest", LOW), ("all highest", HIGH), ("zero", 0)):
                yield self._transaction(f"{name}, {length}", np.full((2, length), value), rng)
            for at in {0, length - 1, min(lanes - 1, length - 1), length // 2}:
                one = np.full((2, length), LOW)
                one[0, at], one[1, at] = LOW + 1, HIGH
                yield self._transaction(f"one larger at {at} of {length}", one, rng)
                tie = rng.integers(-500, -100, (4, length))
                tie[:, at] = -50
                tie[1, length - 1] = tie[2, min(at + 1, length - 1)] = -50
                tie[3, at + 1 :] = -51
                yield self._transaction(f"ties at {at} of {length}", tie, rng)
        for at in (256, 299):
            far = rng.integers(LOW, HIGH, (1, 300))
            far[0, at] = HIGH
            yield self._transaction(f"label {at}", far, rng)
        yield self._transaction("many rows", rng.integers(-3, 3, (40, lanes + 1)), rng)
        far = np.full((1, 32770), LOW)
        far[0, 32769] = 0
        yield self._transaction("label 32769", far, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        while True:
            beats = int(rng.choice([1, 2, 3, 8]))
            length = int(rng.integers(1, beats * lanes + 1)) if rng.random() < 0.7 else beats * lanes
            rows = int(rng.integers(1, 40 // beats))
            spread = int(rng.choice([2, 5, 1000, HIGH]))
            scores = rng.integers(-spread - 1, spread + 1, (rows, length))
            if rng.random() < 0.2:
                scores += rng.choice([LOW + spread + 1, HIGH - spread])
            yield self._transaction("random", scores, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """Long rows, and many."""
        rng = np.random.default_rng(0)
        for rows, length in counter_sizes(self.core.lanes):
            scores = rng.integers(LOW, HIGH + 1, (rows, length))
            yield self._transaction(f"{rows} rows of {length}", scores, rng)

    def _transaction(self, name: str, scores: Ints, rng: np.random.Generator) -> Transaction:
        rows, length = scores.shape
        lanes = self.core.lanes
        beats = to_beats(scores, lanes, rng, bits=16)
        labels = np.argmax(scores, axis=1)
        command = {"rows": np.array([rows]), "length": np.array([length])}
        return Transaction(
            name=name,
            inputs={"command": command, "i": {"": beats}},
            output={"": labels},
            values=rows,
            cycles=isa.Argmax.unit_cycles(rows, ceil_div(length, lanes)),
            bins=frozenset(self._bins(scores, beats, labels)),
        )

    def _bins(self, scores: Ints, beats: Ints, labels: Ints) -> Iterator[str]:
        rows, length = scores.shape
        lanes = self.core.lanes
        count = -(-length // lanes)
        top = scores.max(axis=1)
        behind = beats.reshape(rows, -1)[:, length:]
        if behind.size and (behind.max(axis=1) > top).any():
            yield "noise behind the end above the maximum"
        yield "one row" if rows == 1 else "many rows"
        if np.unique(labels).size > 1:
            yield "labels of a command differ"
        if length == 1:
            yield "one class"
        yield "row fills whole beats" if length % lanes == 0 else "ragged row"
        if count == 1:
            yield "row of one beat"
        if length < lanes:
            yield "row shorter than a beat"
        for row, label in zip(scores, labels, strict=True):
            yield from _row_bins(row, int(label), lanes, count)


def _row_bins(row: Ints, label: int, lanes: int, count: int) -> Iterator[str]:
    """What one row of scores exercises."""
    length, top = len(row), int(row[label])
    others = np.flatnonzero(row == top)[1:]
    if length > 1:
        if others.size == length - 1:
            yield "all equal"
        elif not others.size:
            yield "unique maximum"
        if (row[label + 1 :] == top - 1).any():
            yield "a later score is less by one"
        if label == length - 1:
            yield "maximum is the row's last score"
        if top > LOW and (np.delete(row, label) == LOW).all():
            yield "-32768 and one larger"
    if top == LOW:
        yield "all -32768"
    if (others // lanes == label // lanes).any():
        yield "tie within a beat"
    if (others // lanes != label // lanes).any():
        yield "tie across beats"
    if label + 1 in others:
        yield "tie of neighbours"
    if label % lanes == 0:
        yield "maximum in the first lane"
    if label % lanes == lanes - 1:
        yield "maximum in the last lane"
    if count > 1:
        beat = label // lanes
        place = {0: "the first beat", count - 1: "the last beat"}.get(beat, "a beat between")
        yield f"maximum in {place}"
    for value, name in ((HIGH, "maximum 32767"), (0, "maximum 0")):
        if top == value:
            yield name
    if top < 0:
        yield "maximum negative"
    if label > 255:
        yield "label above 255"
    if label > 32767:
        yield "label above 32767"


CHECK = UnitCheck(
    ArgmaxBench,
    "numpy.argmax of every row",
    "The graph",
    {
        **protocol("argmax", partial(Argmax, lanes=2), 16),
        **balance(
            "argmax",
            partial(Argmax, lanes=2),
            {"rows": 2, "length": 3},
            per_row,
            {"i": per_pair},
            24,
        ),
    },
)
