"""Stimulus, expectation and proofs for `hw.units.upsample.core.Upsample`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from intarsia.hw.units.upsample.core import Upsample
from intarsia.sim.formal.core_proofs import balance, protocol
from intarsia.sim.transaction import Bench, Ints, Transaction, to_beats
from intarsia.sim.unit_check import UnitCheck

LOW, HIGH = -(2**15), 2**15 - 1


class UpsampleBench(Bench):
    """numpy.argmax of every patch, repeated both ways (docs/numerics.md, section 8)."""

    BINS: ClassVar[tuple[str, ...]] = (
        "one patch", "one row of patches", "one column of patches", "two rows", "many rows",
        "factor 1", "factor 16", "factor below lanes, no power of two", "factor above lanes",
        "one class", "classes fill whole beats", "ragged classes", "scores in many beats",
        "patches fill whole beats", "ragged patches", "patches in many beats", "longest row",
        "pixels fill whole beats", "ragged pixels", "labels take longer than pixels",
        "pixels take longer than labels", "tie within a patch", "all scores of a patch equal",
        "noise behind the classes above the maximum", "neighbours differ", "rows differ",
        "label above 255", "same label everywhere",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        for height, width, classes, factor in (
            (1, 1, 1, 1), (1, 1, 3, 16), (1, 5, 2 * lanes, 1), (4, 1, lanes + 1, 3), (2, 2, 1, lanes + 1),
            (3, lanes, 4, 3), (2, lanes + 1, 1, 5), (5, 3, 3 * lanes + 1, 2), (2, 2 * lanes + 3, lanes, 1),
            (6, 2, 2, 2), (3, 2, 5, 2 * lanes), (3, 5, 4, 4), (20, 2, 2, 2),
        ):  # fmt: skip
            scores = rng.integers(LOW, HIGH, (height, width, classes))
            yield self._transaction(f"{height} x {width}, factor {factor}", scores, factor, rng)
        ties = rng.integers(-1, 2, (3, 6, lanes + 2))
        ties[1, 2:4] = LOW
        yield self._transaction("ties", ties, 2, rng)
        far = rng.integers(LOW, 0, (2, 2, 300))
        far[0, 1, 257] = far[1, 0, 299] = HIGH
        yield self._transaction("label above 255", far, 3, rng)
        same = rng.integers(LOW, 0, (2, 3, 4))
        same[..., 2] = 5
        yield self._transaction("one label", same, 4, rng)
        longest = rng.integers(LOW, HIGH, (2, self.core.max_length, 2))
        yield self._transaction("longest row", longest, 1, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        while True:
            height, width = int(rng.integers(1, 5)), int(rng.integers(1, min(3 * lanes, 24)))
            classes = int(rng.integers(1, 3 * lanes + 2))
            factor = int(rng.choice([1, 2, 3, 16, rng.integers(1, 2 * lanes + 1)]))
            spread = int(rng.choice([2, 100, HIGH]))
            scores = rng.integers(
                -spread - 1, spread + 1, (height, min(width, self.core.max_length), classes)
            )
            yield self._transaction("random", scores, factor, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """The high bits of everything that is counted; large labels in every lane."""
        rng = np.random.default_rng(0)
        for height, width, classes, factor in (
            (300, 1, 1, 1), (1, 1, 2, 600), (1, 2 * self.core.lanes, 2**15 + 2**13, 1),
        ):  # fmt: skip
            scores = rng.integers(LOW, HIGH, (height, width, classes))
            if classes > 2**15:
                large = 2**15 + 2**12 + rng.integers(2**12, size=width)
                scores[:, np.arange(width), large] = HIGH
            yield self._transaction(f"{height} x {width}, factor {factor}", scores, factor, rng)

    def _transaction(self, name: str, scores: Ints, factor: int, rng: np.random.Generator) -> Transaction:
        height, width, classes = scores.shape
        beats = to_beats(scores.reshape(-1, classes), self.core.lanes, rng, bits=16)
        labels = np.argmax(scores, axis=2)
        pixels = np.repeat(np.repeat(labels, factor, axis=0), factor, axis=1)
        fields = {"rows": height, "length": width, "classes": classes, "factor": factor}
        return Transaction(
            name=name,
            inputs={
                "command": {field: np.array([value]) for field, value in fields.items()},
                "i": {"": beats},
            },
            output={"": to_beats(pixels, self.core.lanes)},
            values=pixels.size,
            cycles=self.core.cycles(height, width, classes, factor),
            bins=frozenset(self._bins(scores, beats, labels, factor)),
        )

    def _bins(self, scores: Ints, beats: Ints, labels: Ints, factor: int) -> Iterator[str]:
        lanes = self.core.lanes
        height, width, classes = scores.shape
        if height == width == 1:
            yield "one patch"
        elif height == 1:
            yield "one row of patches"
        elif width == 1:
            yield "one column of patches"
        if height > 1:
            yield "two rows" if height == 2 else "many rows"
        if factor in (1, 16):
            yield f"factor {factor}"
        if factor > lanes:
            yield "factor above lanes"
        elif factor & (factor - 1):
            yield "factor below lanes, no power of two"
        if classes == 1:
            yield "one class"
        yield "ragged classes" if classes % lanes else "classes fill whole beats"
        if classes > lanes:
            yield "scores in many beats"
        yield "ragged patches" if width % lanes else "patches fill whole beats"
        if width > lanes:
            yield "patches in many beats"
        if width == self.core.max_length:
            yield "longest row"
        yield "ragged pixels" if width * factor % lanes else "pixels fill whole beats"
        reading, writing = len(beats) // height, factor * -(-width * factor // lanes)
        if height > 1 and reading != writing:
            yield (
                "labels take longer than pixels" if reading > writing else "pixels take longer than labels"
            )
        top = scores.max(axis=2, keepdims=True)
        ties = (scores == top).sum(axis=2)
        if ((ties > 1) & (ties < classes)).any():
            yield "tie within a patch"
        if classes > 1 and (ties == classes).any():
            yield "all scores of a patch equal"
        behind = beats.reshape(height * width, -1)[:, classes:]
        if behind.size and (behind > top.reshape(-1, 1)).any():
            yield "noise behind the classes above the maximum"
        if (labels[:, 1:] != labels[:, :-1]).any():
            yield "neighbours differ"
        if (labels[1:] != labels[:-1]).any():
            yield "rows differ"
        if labels.max() > 255:
            yield "label above 255"
        if labels.size > 1 and np.unique(labels).size == 1:
            yield "same label everywhere"


CHECK = UnitCheck(
    UpsampleBench,
    "numpy.argmax of every patch, repeated both ways",
    "The graph",
    {
        **protocol("upsample", partial(Upsample, lanes=2, max_length=4), 30),
        **balance(
            "upsample",
            partial(Upsample, lanes=2, max_length=4),
            {"rows": 2, "length": 2, "classes": 3, "factor": 2},
            lambda c: c.rows * c.factor * ((c.length * c.factor + 1) >> 1),
            {"i": lambda c: c.rows * c.length * ((c.classes + 1) >> 1)},
            60,
            at_once=True,
        ),
    },
)
