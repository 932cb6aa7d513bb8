# amaranth: UnusedElaboratable=no
"""hw.upsample against numpy, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.upsample.core import Upsample
from intarsia.sim.units.upsample import UpsampleBench
from tests.hw.driver import play


@pytest.mark.parametrize(("lanes", "max_length"), [(1, 5), (4, 20), (8, 64), (32, 8)])
def test_directed(lanes, max_length):
    core = Upsample(lanes=lanes, max_length=max_length)
    fits = [
        t
        for t in UpsampleBench(core).directed(np.random.default_rng(1))
        if t.inputs["command"]["length"][0] <= max_length and t.cycles < 700
    ]
    assert len(fits) > 5
    play(Unit(core), fits)


@pytest.mark.parametrize(("lanes", "max_length"), [(2, 24), (16, 100)])
def test_random_with_gaps(lanes, max_length):
    core = Upsample(lanes=lanes, max_length=max_length)
    rng = np.random.default_rng(2)
    play(Unit(core), islice((t for t in UpsampleBench(core).random(rng) if t.cycles < 500), 10), rng)


def test_directed_hits_every_bin():
    bench = UpsampleBench(Upsample(lanes=8))
    transactions = list(bench.directed(np.random.default_rng(3)))
    assert set().union(*(t.bins for t in transactions)) == set(bench.BINS)


@pytest.mark.parametrize("max_length", [0, 65536])
def test_longest_row_out_of_range_is_refused(max_length):
    with pytest.raises(ValueError, match=f"max_length must be in 1..65535, not {max_length}"):
        Upsample(lanes=8, max_length=max_length)


@pytest.mark.parametrize("lanes", [0, 3, 512, -8])
def test_lanes_that_are_no_power_of_two_are_refused(lanes):
    with pytest.raises(ValueError, match=f"lanes must be a power of two in 1..256, not {lanes}"):
        Upsample(lanes=lanes)
