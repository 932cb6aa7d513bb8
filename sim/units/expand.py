"""Stimulus, expectation and proofs for `hw.units.expand.core.Expand`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from intarsia.arch import isa
from intarsia.arch.duration import ceil_div
from intarsia.hw.units.expand.core import Expand
from intarsia.sim.formal.core_proofs import balance, per_pair, protocol
from intarsia.sim.transaction import Bench, Ints, Transaction, counter_sizes, to_beats
from intarsia.sim.unit_check import UnitCheck

LABELS = 1 << 16


class ExpandBench(Bench):
    """Every label of a row repeated: numpy.repeat (docs/numerics.md, section 8)."""

    BINS: ClassVar[tuple[str, ...]] = (
        "factor 1", "factor 2", "factor below lanes, a power of two", "factor below lanes, none",
        "factor lanes", "factor just below lanes", "factor just above lanes", "factor twice lanes",
        "factor above lanes, no multiple", "factor above 255", "factor above 32767", "factor 16",
        "length 1",
        "labels fill whole beats", "ragged labels", "labels of one beat", "labels of many beats",
        "results fill whole beats", "ragged results", "row of one result beat", "one result per row",
        "a label begins in the last lane", "row ends within a ragged beat of labels",
        "noise behind the end", "label 0", "label above 255", "label 65535", "neighbours equal", "one row",
        "many rows", "row above 65535 results",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        factors = {1, 2, 3, 4, 5, 7, 16, lanes - 1, lanes, lanes + 1, 2 * lanes, 2 * lanes + 3, 300}
        for factor in sorted(factors - {0}):
            for length in sorted({1, 2, lanes, lanes + 1, 2 * lanes - 1, 3 * lanes}):
                rows = 1 if length * factor > 20 * lanes else 3
                if length * factor <= 2000 * lanes:
                    labels = rng.integers(0, LABELS, (rows, length))
                    yield self._transaction(f"{length} labels {factor} times", labels, factor, rng)
        constant = np.repeat(np.array([[0, LABELS - 1, 255, 256]]), lanes, axis=1)
        yield self._transaction("labels that repeat", constant, 3, rng)
        yield self._transaction("many rows", rng.integers(0, 150, (100, 5)), 2, rng)
        yield self._transaction("a factor of 16 bits", rng.integers(0, LABELS, (1, 2)), 32800, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        while True:
            factor = int(rng.choice([1, 2, 4, 16, *rng.integers(1, 3 * lanes + 2, 6)]))
            most = max(100 * lanes // factor, 1)
            length = int(rng.integers(1, min(most, 4 * lanes) + 1))
            if rng.random() < 0.3:
                length = -(-length // lanes) * lanes
            rows = int(rng.choice([1, 1, 2, 5]))
            labels = rng.integers(0, int(rng.choice([2, 150, LABELS])), (rows, length))
            yield self._transaction("random", labels, factor, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """Every bit of factor, length and rows, alone and in company: what takes too long to be played
        more than once."""
        lanes, most = self.core.lanes, LABELS - 1
        near = sorted({1, lanes // 2, lanes - 1, lanes} - {0})  # a factor may be mistaken for one of these
        # Two labels, so that one follows the other within a beat.
        sizes = [
            (1, 1 + (small == 1), min((1 << bit) + small, most)) for bit in range(16) for small in near
        ]
        sizes += [(1, 1, most), *((rows, length, 1) for rows, length in counter_sizes(lanes))]
        rng = np.random.default_rng(0)
        for rows, length, factor in sizes:
            labels = rng.integers(0, LABELS, (rows, length))
            yield self._transaction(f"{rows} rows of {length}, {factor} times", labels, factor, rng)

    def _transaction(self, name: str, labels: Ints, factor: int, rng: np.random.Generator) -> Transaction:
        rows, length = labels.shape
        lanes = self.core.lanes
        results = np.repeat(labels, factor, axis=1)
        command = {"rows": np.array([rows]), "length": np.array([length]), "factor": np.array([factor])}
        source = to_beats(labels, lanes, rng, bits=17) % LABELS
        return Transaction(
            name=name,
            inputs={"command": command, "i": {"": source}},
            output={"": to_beats(results, lanes)},
            values=results.size,
            cycles=isa.Expand.unit_cycles(rows, ceil_div(length * factor, lanes)),
            bins=frozenset(self._bins(labels, source, factor)),
        )

    def _bins(self, labels: Ints, source: Ints, factor: int) -> Iterator[str]:
        lanes = self.core.lanes
        rows, length = labels.shape
        total = length * factor
        if factor in (1, 2, 16):
            yield f"factor {factor}"
        power = factor & (factor - 1) == 0
        if 1 < factor < lanes:
            yield "factor below lanes, a power of two" if power else "factor below lanes, none"
        near = {0: "lanes", -1: "just below lanes", 1: "just above lanes", lanes: "twice lanes"}
        if factor - lanes in near:
            yield f"factor {near[factor - lanes]}"
        if factor > lanes and factor % lanes:
            yield "factor above lanes, no multiple"
        for limit in (255, 32767):
            if factor > limit:
                yield f"factor above {limit}"
        if length == 1:
            yield "length 1"
        yield "ragged labels" if length % lanes else "labels fill whole beats"
        yield "labels of one beat" if length <= lanes else "labels of many beats"
        yield "ragged results" if total % lanes else "results fill whole beats"
        if total <= lanes:
            yield "row of one result beat"
        if total == 1:
            yield "one result per row"
        starts = np.arange(1, length) * factor
        if (starts % lanes == lanes - 1).any():
            yield "a label begins in the last lane"
        if -(-total // lanes) < -(-length // lanes) * factor:
            yield "row ends within a ragged beat of labels"
        if source.reshape(rows, -1)[:, length:].any():
            yield "noise behind the end"
        for value in (0, LABELS - 1):
            if (labels == value).any():
                yield f"label {value}"
        if labels.max() > 255:
            yield "label above 255"
        if (labels[:, 1:] == labels[:, :-1]).any():
            yield "neighbours equal"
        yield "one row" if rows == 1 else "many rows"
        if total > 65535:
            yield "row above 65535 results"


CHECK = UnitCheck(
    ExpandBench,
    "numpy.repeat of every row",
    "The graph",
    {
        **protocol("expand", partial(Expand, lanes=2), 16),
        **balance(
            "expand",
            partial(Expand, lanes=2),
            {"rows": 2, "length": 3, "factor": 3},
            lambda c: c.rows * ((c.length * c.factor + 1) >> 1),
            {"i": per_pair},
            24,
        ),
    },
)
