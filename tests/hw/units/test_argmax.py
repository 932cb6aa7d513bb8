# amaranth: UnusedElaboratable=no

"""hw.argmax against numpy.argmax, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.argmax.core import Argmax
from intarsia.sim.units.argmax import ArgmaxBench
from tests.hw.driver import play


@pytest.mark.parametrize("lanes", [1, 2, 8, 64])
def test_directed(lanes):
    core = Argmax(lanes=lanes)
    bench = ArgmaxBench(core)
    short = [t for t in bench.directed(np.random.default_rng(1)) if len(t.inputs["i"][""]) < 300]
    play(Unit(core), short)


@pytest.mark.parametrize("lanes", [4, 16, 128])
def test_random_with_gaps(lanes):
    core = Argmax(lanes=lanes)
    rng = np.random.default_rng(2)
    play(Unit(core), islice(ArgmaxBench(core).random(rng), 20), rng)


def test_directed_hits_every_bin():
    bench = ArgmaxBench(Argmax(lanes=8))
    transactions = list(bench.directed(np.random.default_rng(3)))
    assert set().union(*(t.bins for t in transactions)) == set(bench.BINS)


@pytest.mark.parametrize("lanes", [0, 3, 512, -8])
def test_lanes_that_are_no_power_of_two_are_refused(lanes):
    with pytest.raises(ValueError, match=f"lanes must be a power of two in 1..256, not {lanes}"):
        Argmax(lanes=lanes)
