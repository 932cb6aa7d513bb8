# amaranth: UnusedElaboratable=no

"""hw.shiftgelu_table against ShiftGELU itself, beat by beat and cycle by cycle."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pytest

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.shiftgelu_table.core import ENTRIES, ShiftgeluTable, table
from intarsia.model.integer.arithmetic import requantize, shiftgelu
from intarsia.sim.units.shiftgelu_table import ShiftgeluTableBench
from tests.hw.driver import play


@pytest.mark.parametrize("lanes", [1, 8])
def test_directed_in_exact_cycles(lanes):
    core = ShiftgeluTable(lanes=lanes)
    play(Unit(core), ShiftgeluTableBench(core).directed(np.random.default_rng(1)))


def test_random_with_gaps():
    core = ShiftgeluTable(lanes=4)
    rng = np.random.default_rng(2)
    play(Unit(core), islice(ShiftgeluTableBench(core).random(rng), 30), rng)


@pytest.mark.parametrize("lanes", [2, 16, 128])
def test_directed_hits_every_bin(lanes):
    bench = ShiftgeluTableBench(ShiftgeluTable(lanes=lanes))
    assert set().union(*(t.bins for t in bench.directed(np.random.default_rng(3)))) == set(bench.BINS)


@pytest.mark.parametrize(("i0", "b", "c"), [(1, 1, 7), (9, 300, 15), (2**23, -(2**31), 37)])
def test_table_is_in_the_order_of_bytes(i0, b, c):
    x = np.arange(-128, 128)
    direct = requantize(shiftgelu(x, i0, form="lambda-shift-elem"), b, c, out_bits=8)
    entries = table(i0, b, c)
    assert entries.dtype == np.int8
    assert entries.shape == (ENTRIES,)
    assert (entries[x % ENTRIES] == direct).all()


@pytest.mark.parametrize("lanes", [0, 3, 512])
def test_refuses(lanes):
    message = f"lanes must be a power of two in 1..256, not {lanes}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ShiftgeluTable(lanes=lanes)
