"""Stimulus, expectation and proofs for `hw.units.shiftgelu_table.core.ShiftgeluTable`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from intarsia.hw.units.shiftgelu_table.core import ENTRIES, ShiftgeluTable, table
from intarsia.model.integer.arithmetic import dyadic, gelu_i0, requantize, shiftgelu
from intarsia.sim.formal.core_proofs import protocol
from intarsia.sim.transaction import Bench, Ints, Transaction, counter_sizes, to_beats
from intarsia.sim.unit_check import UnitCheck

LOW, HIGH = -128, 127
FORM = "lambda-shift-elem"
Constants = tuple[int, int, int]
"""i0, b, c."""


class ShiftgeluTableBench(Bench):
    """A filled table against ShiftGELU itself: `model.integer.arithmetic.shiftgelu`, `requantize`."""

    BINS: ClassVar[tuple[str, ...]] = (
        "first fill", "fill with other constants", "fill with the same constants", "entries all 0",
        "an entry of -128", "an entry of 127", "i0 = 1", "largest i0", "negative multiplier",
        "all 256 inputs", "x = -128", "x = 0", "x = 127", "all lanes alike", "outputs of a row differ",
        "noise behind the end with an entry that is not 0", "row of 1", "row of one beat",
        "ragged row", "row fills whole beats", "row of many beats", "one row", "many rows",
        "rows after rows", "rows after a fill",
    )  # fmt: skip

    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        constants = [
            (gelu_i0(8 / 127, FORM), *dyadic(1 / 128, 16)),
            (gelu_i0(0.5 / 127, FORM), *dyadic(1 / 90, 32)),
            (1, 1, 7),
            (2**23, 1, 6),
            (40, -(2**15), 22),
            (40, 1, 63),
            (2, 2**31 - 1, 0),
            (40, -1, 0),  # the last entry, of x = -1, differs from the first one, which is 0, in many bits
            (40, 1, 0),
        ]
        history = _History()
        every = rng.permutation(np.arange(LOW, HIGH + 1))
        for values in constants:
            yield self._fill(values, history)
            yield self._rows("all inputs", every.reshape(1, -1), history, rng)
        yield self._fill(constants[0], history)
        yield self._fill(constants[0], history)
        for length in (1, 2, max(lanes - 1, 1), lanes, lanes + 1, 3 * lanes, 3 * lanes + 1, 300, 1030):
            x = rng.integers(LOW, HIGH + 1, (3, length))
            yield self._rows(f"rows of {length}", x, history, rng)
        for value in (LOW, -1, 0, HIGH):
            yield self._rows(f"all {value}", np.full((2, 2 * lanes), value), history, rng)
        yield self._rows("many rows of 1", rng.integers(LOW, HIGH + 1, (520, 1)), history, rng)
        yield self._fill(constants[1], history)
        yield self._rows("after another fill", rng.integers(LOW, HIGH + 1, (2, 20)), history, rng)

    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        lanes = self.core.lanes
        history = _History()
        while True:
            i0 = int(2 ** rng.uniform(0, 23))
            b = int(rng.integers(-(2**31), 2**31)) >> int(rng.integers(32))
            c = min(max(abs(b).bit_length() + int(rng.integers(2, 12)), 0), 63)
            # Twice: a reset that strikes one of the two leaves no other entries than the other's.
            yield self._fill((i0, b, c), history)
            yield self._fill((i0, b, c), history)
            for _ in range(int(rng.integers(1, 8))):
                beats = int(rng.choice([1, 2, 3, 20]))
                length = beats * lanes if rng.random() < 0.3 else int(rng.integers(1, beats * lanes + 1))
                x = rng.integers(LOW, HIGH + 1, (int(rng.integers(1, 7)), length))
                yield self._rows("random rows", x, history, rng)

    def exhaustive(self) -> Iterator[Transaction]:
        """Long rows, and many."""
        rng = np.random.default_rng(0)
        history = _History()
        yield self._fill((40, -1, 0), history)
        for rows, length in counter_sizes(self.core.lanes):
            x = rng.integers(LOW, HIGH + 1, (rows, length))
            yield self._rows(f"{rows} rows of {length}", x, history, rng)

    def _fill(self, constants: Constants, history: _History) -> Transaction:
        entries = table(*constants).astype(np.int64)
        bins = list(_fill_bins(constants, entries, history))
        history.constants, history.rows_before = constants, False
        return Transaction(
            name="fill with i0 = {}, b = {}, c = {}".format(*constants),
            inputs={
                "command": {
                    field: np.array([int(field == "fill")]) for field in ("fill", "rows", "length")
                },
                "table": {"": entries},
                "i": {"": np.zeros((0, self.core.lanes), np.int64)},
            },
            output={"": np.zeros((0, self.core.lanes), np.int64)},
            values=0,
            cycles=0,
            bins=frozenset(bins),
        )

    def _rows(self, name: str, x: Ints, history: _History, rng: np.random.Generator) -> Transaction:
        assert history.constants is not None
        rows, length = x.shape
        lanes = self.core.lanes
        i0, b, c = history.constants
        beats = to_beats(x, lanes, rng, bits=8)
        out = requantize(shiftgelu(x, i0, form=FORM), b, c, out_bits=8).astype(np.int64)
        behind = beats.reshape(rows, -1)[:, length:]
        noise = requantize(shiftgelu(behind, i0, form=FORM), b, c, out_bits=8)
        per_row = -(-length // lanes)
        where = {
            "all 256 inputs": np.unique(x).size == ENTRIES,
            "x = -128": (x == LOW).any(),
            "x = 0": (x == 0).any(),
            "x = 127": (x == HIGH).any(),
            "all lanes alike": lanes > 1 and (beats == beats[:, :1]).all(axis=1).any(),
            "outputs of a row differ": (out != out[:, :1]).any(),
            "noise behind the end with an entry that is not 0": noise.any(),
            "row of 1": length == 1,
            "row of one beat": per_row == 1,
            "row of many beats": per_row > 2,
            "ragged row": length % lanes,
            "row fills whole beats": length % lanes == 0,
            "one row": rows == 1,
            "many rows": rows > 1,
            "rows after rows": history.rows_before,
            "rows after a fill": not history.rows_before,
        }
        history.rows_before = True
        command = {"fill": 0, "rows": rows, "length": length}
        return Transaction(
            name=name,
            inputs={
                "command": {field: np.array([value]) for field, value in command.items()},
                "table": {"": np.zeros(0, np.int64)},
                "i": {"": beats},
            },
            output={"": to_beats(out, lanes)},
            values=out.size,
            cycles=ShiftgeluTable.rows_unit(rows, length, lanes),
            bins=frozenset(bin_name for bin_name, hit in where.items() if hit),
        )


class _History:
    """What the unit holds when a transaction comes: the table's constants, and whether rows came since."""

    def __init__(self) -> None:
        self.constants: Constants | None = None
        self.rows_before = False


def _fill_bins(constants: Constants, entries: Ints, history: _History) -> Iterator[str]:
    i0, b, _ = constants
    if history.constants is None:
        yield "first fill"
    else:
        same = history.constants == constants
        yield "fill with the same constants" if same else "fill with other constants"
    for name, hit in (
        ("entries all 0", not entries.any()),
        ("an entry of -128", (entries == LOW).any()),
        ("an entry of 127", (entries == HIGH).any()),
        ("i0 = 1", i0 == 1),
        ("largest i0", i0 == 2**23),
        ("negative multiplier", b < 0),
    ):
        if hit:
            yield name


CHECK = UnitCheck(
    ShiftgeluTableBench,
    "intarsia.model.integer.arithmetic.requantize of intarsia.model.integer.arithmetic.shiftgelu",
    "ShiftGELU",
    protocol("shiftgelu-table", partial(ShiftgeluTable, lanes=2), 16),
)
