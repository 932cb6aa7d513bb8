# amaranth: UnusedElaboratable=no
"""hw.expand against numpy.repeat, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.expand.core import Expand
from intarsia.sim.units.expand import ExpandBench
from tests.hw.driver import play


def short(transactions, beats=150):
    return [t for t in transactions if len(t.output[""]) <= beats]


@pytest.mark.parametrize("lanes", [1, 2, 8])
def test_directed(lanes):
    core = Expand(lanes=lanes)
    play(Unit(core), short(ExpandBench(core).directed(np.random.default_rng(1))))


def test_directed_of_many_lanes():
    core = Expand(lanes=64)
    play(Unit(core), short(ExpandBench(core).directed(np.random.default_rng(1)), 20))


@pytest.mark.parametrize("lanes", [4, 16])
def test_random_with_gaps(lanes):
    core = Expand(lanes=lanes)
    rng = np.random.default_rng(2)
    play(Unit(core), islice(ExpandBench(core).random(rng), 25), rng)


def test_directed_hits_every_bin():
    bench = ExpandBench(Expand(lanes=8))
    transactions = list(bench.directed(np.random.default_rng(3)))
    assert set().union(*(t.bins for t in transactions)) == set(bench.BINS)


@pytest.mark.parametrize("lanes", [0, 3, 512, -8])
def test_lanes_that_are_no_power_of_two_are_refused(lanes):
    with pytest.raises(ValueError, match=f"lanes must be a power of two in 1..256, not {lanes}"):
        Expand(lanes=lanes)
