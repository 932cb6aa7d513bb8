"""Stimulus, expectation and proofs for `hw.units.affine.core.Affine`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from intarsia.arch.isa.matmul import requantize_unit
from intarsia.hw.units.affine.core import Affine
from intarsia.model.integer.arithmetic import rshift_rhe, saturate
from intarsia.sim.formal.core_proofs import balance, per_row, protocol
from intarsia.sim.transaction import Bench, Ints, Transaction
from intarsia.sim.unit_check import UnitCheck
from intarsia.sim.units.requantize.bench import ROUNDING_BINS, corner_products, rounding_bins

LARGEST_X = 2**30
B_LOW, B_HIGH = -(2**31), 2**31 - 1
LARGEST_OFFSET = 2**62


class AffineBench(Bench):
    """sat(RHE((x * b + offset) / 2**c)): the last step of I-LayerNorm (docs/numerics.md, sections 2, 4)."""

    BINS: ClassVar[tuple[str, ...]] = (
        *ROUNDING_BINS, "x smallest", "x largest", "x = 0", "b = 0", "b most negative", "b most positive",
        "offset largest", "offset smallest", "offset = 0", "offset decides the sign",
        "offset cancels the product", "largest sum", "smallest sum",
        "offset and product carry from their low halves", "b and offset differ by lane", "one beat",
        "many beats",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        for c in (0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 45, 46, 47, 48, 62, 63):
            sums = np.array([p for p in corner_products(c) if abs(p) <= LARGEST_OFFSET])
            for wide in (0, 1):
                x, b = self._factors(sums.size, rng)
                offset = sums - x * b
                inside = np.abs(offset) <= LARGEST_OFFSET
                x[~inside] = 0
                yield self._flat(f"c = {c}, wide = {wide}", x, b, np.where(inside, offset, sums), c, wide)
        ends = np.meshgrid(
            [-LARGEST_X, -1, 0, 1, LARGEST_X],
            [B_LOW, -1, 0, 1, B_HIGH],
            [-LARGEST_OFFSET, -1, 0, 1, LARGEST_OFFSET],
        )
        for c in (0, 30, 47, 62, 63):
            for wide in (0, 1):
                x, b, offset = (values.ravel() for values in ends)
                yield self._flat(f"extremes at c = {c}, wide = {wide}", x, b, offset, c, wide)
        for beats in (1, 2, 3, 50):
            yield self._typical(beats, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        while True:
            beats = int(rng.choice([1, 2, 3, 7, 30, 100]))
            if rng.random() < 0.6:
                yield self._typical(beats, rng)
                continue
            c, wide = int(rng.integers(0, 64)), int(rng.integers(0, 2))
            x, b = self._factors(beats * lanes, rng)
            reach = min(40 << c, LARGEST_OFFSET)
            sums = rng.integers(-reach, reach, x.size)
            offset = np.clip(sums - x * b, -LARGEST_OFFSET, LARGEST_OFFSET)
            yield self._flat("random", x, b, offset, c, wide)

    def _factors(self, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """x and b of every magnitude."""
        x = rng.integers(-LARGEST_X, LARGEST_X + 1, count) >> rng.integers(0, 30, count)
        b = rng.integers(B_LOW, B_HIGH + 1, count) >> rng.integers(0, 31, count)
        return x, b

    def _typical(self, beats: int, rng: np.random.Generator) -> Transaction:
        """Normalized rows: z about 2**30 / sqrt(D), one shift, one b and offset per channel."""
        lanes = self.core.lanes
        c, wide = int(rng.integers(38, 50)), int(rng.integers(0, 2))
        z = np.clip(rng.normal(0, 2.0**26, (beats, lanes)), -LARGEST_X, LARGEST_X).astype(np.int64)
        gain = (8000 if wide else 30) * 2.0 ** (c - 26)
        b = np.clip(rng.normal(gain, gain / 4, lanes), B_LOW, B_HIGH).astype(np.int64)
        offset = np.clip(rng.normal(0, 5000 if wide else 20, lanes) * 2.0**c, -(2.0**61), 2.0**61).astype(
            np.int64
        )
        every = np.ones((beats, 1), np.int64)
        return self._transaction("typical", z, every * b, every * offset, c, wide)

    def _flat(self, name: str, x: Ints, b: Ints, offset: Ints, c: int, wide: int) -> Transaction:
        lanes = self.core.lanes
        shape = (-(-x.size // lanes), lanes)
        x, b, offset = (np.resize(values, shape) for values in (x, b, offset))
        return self._transaction(name, x, b, offset, c, wide)

    def _transaction(self, name: str, x: Ints, b: Ints, offset: Ints, c: int, wide: int) -> Transaction:
        sums, bits = x * b + offset, 16 if wide else 8
        command = {"rows": np.array([len(x)]), "c": np.array([c]), "wide": np.array([wide])}
        bins = {*rounding_bins(sums, np.array(c), bits), *self._bins(x, b, offset, sums)}
        return Transaction(
            name=name,
            inputs={"command": command, "i": {"": x}, "constants": {"b": b, "offset": offset}},
            output={"": saturate(rshift_rhe(sums, c), bits)},
            values=x.size,
            cycles=requantize_unit(len(x)),
            bins=frozenset(bins),
        )

    def _bins(self, x: Ints, b: Ints, offset: Ints, sums: Ints) -> Iterator[str]:
        p = x * b
        low = (1 << 34) - 1
        found = {
            "x smallest": x == -LARGEST_X,
            "x largest": x == LARGEST_X,
            "x = 0": x == 0,
            "b = 0": b == 0,
            "b most negative": b == B_LOW,
            "b most positive": b == B_HIGH,
            "offset largest": offset == LARGEST_OFFSET,
            "offset smallest": offset == -LARGEST_OFFSET,
            "offset = 0": offset == 0,
            "offset decides the sign": (p != 0) & (sums != 0) & ((p < 0) != (sums < 0)),
            "offset cancels the product": (p != 0) & (sums == 0),
            "largest sum": sums == LARGEST_X * -B_LOW + LARGEST_OFFSET,
            "smallest sum": sums == LARGEST_X * B_LOW - LARGEST_OFFSET,
            "offset and product carry from their low halves": (p & low) + (offset & low) > low,
        }
        yield from (name for name, hit in found.items() if hit.any())
        if len({*zip(b[0].tolist(), offset[0].tolist(), strict=True)}) == self.core.lanes:
            yield "b and offset differ by lane"
        yield "one beat" if len(x) == 1 else "many beats"


CHECK = UnitCheck(
    AffineBench,
    "intarsia.model.integer.arithmetic.saturate(rshift_rhe(x * b + offset, c), bits)",
    "I-LayerNorm",
    {
        **protocol("affine", partial(Affine, lanes=1), 20),
        **balance(
            "affine",
            partial(Affine, lanes=1),
            {"rows": 3},
            per_row,
            {"i": per_row, "constants": per_row},
            24,
        ),
    },
)
