# amaranth: UnusedElaboratable=no

"""hw.residual against model.integer.arithmetic, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.residual.core import Residual
from intarsia.sim.units.residual import ResidualBench
from tests.hw.driver import play


@pytest.mark.parametrize("lanes", [1, 8])
def test_directed(lanes):
    core = Residual(lanes=lanes)
    play(Unit(core), ResidualBench(core).directed(np.random.default_rng(1)))


@pytest.mark.parametrize("lanes", [4, 16])
def test_random_with_gaps(lanes):
    core = Residual(lanes=lanes)
    rng = np.random.default_rng(2)
    play(Unit(core), islice(ResidualBench(core).random(rng), 20), rng)


def test_directed_hits_every_bin():
    bench = ResidualBench(Residual(lanes=8))
    transactions = list(bench.directed(np.random.default_rng(3)))
    assert set().union(*(t.bins for t in transactions)) == set(bench.BINS)


@pytest.mark.parametrize("lanes", [0, 3, 512, -8])
def test_lanes_that_are_no_power_of_two_are_refused(lanes):
    with pytest.raises(ValueError, match=f"^lanes must be a power of two in 1..256, not {lanes}$"):
        Residual(lanes=lanes)
