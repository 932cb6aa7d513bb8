# amaranth: UnusedElaboratable=no

"""hw.shiftgelu against the reference, beat by beat and cycle by cycle."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pytest

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.shiftgelu.core import Shiftgelu
from intarsia.sim.units.shiftgelu.bench import ShiftgeluBench
from tests.hw.driver import play


def test_directed_in_exact_cycles():
    core = Shiftgelu(lanes=4, max_length=40)
    hit: set[str] = set()
    chosen = []
    for transaction in ShiftgeluBench(core).directed(np.random.default_rng(1)):
        if not transaction.bins <= hit:
            hit |= transaction.bins
            chosen.append(transaction)
    assert hit == set(ShiftgeluBench.BINS)
    play(Unit(core), chosen)


@pytest.mark.parametrize(("lanes", "max_length", "count"), [(1, 20, 6), (16, 4096, 1)])
def test_random_in_exact_cycles(lanes, max_length, count):
    core = Shiftgelu(lanes=lanes, max_length=max_length)
    play(Unit(core), islice(ShiftgeluBench(core).random(np.random.default_rng(2)), count))


def test_random_with_gaps():
    core = Shiftgelu(lanes=2, max_length=40)
    rng = np.random.default_rng(3)
    play(Unit(core), islice(ShiftgeluBench(core).random(rng), 12), rng)


@pytest.mark.parametrize("lanes", [2, 16, 256])
def test_directed_hits_every_bin(lanes):
    bench = ShiftgeluBench(Shiftgelu(lanes=lanes))
    assert set().union(*(t.bins for t in bench.directed(np.random.default_rng(4)))) == set(bench.BINS)


def test_exhaustive_begins_with_every_input_of_the_smallest_i0():
    transactions = ShiftgeluBench(Shiftgelu(lanes=8)).exhaustive()
    i0 = [(int(t.inputs["command"]["i0"][0]), t.values) for t in islice(transactions, 20)]
    assert i0 == [(k, 256) for k in range(1, 21)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": 3}, "lanes must be a power of two in 1..256, not 3"),
        ({"lanes": 512}, "lanes must be a power of two in 1..256, not 512"),
        ({"lanes": 8, "max_length": 0}, "max_length must be in 1..65535, not 0"),
        ({"lanes": 8, "max_length": 65536}, "max_length must be in 1..65535, not 65536"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Shiftgelu(**arguments)
