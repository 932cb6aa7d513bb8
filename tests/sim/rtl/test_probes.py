"""Pieces of tensors: which are expected, and what is said of those that are different."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from intarsia.arch.isa import Unit
from intarsia.sim.rtl.probes import DIFFERENT, EQUAL, NOT_REACHED, count_values, count_wrong, expected
from tests.sim.rtl.programs import BYTES, contents, copies


@pytest.fixture
def program():
    return copies()


@pytest.fixture
def wanted(program):
    return expected(program, contents(program))


def piece(program, iteration):
    """Two rows of 20 int16, 48 bytes apart."""
    row = contents(program)[iteration * BYTES :]
    return row[:40].tobytes() + row[48:88].tobytes()


def test_a_record_per_piece_and_iteration(program, wanted):
    assert [tuple(map(int, record)) for record in wanted.records] == [
        (Unit.LOAD, i + 1, 32, 48, 2, 40, zlib.crc32(piece(program, i)), NOT_REACHED) for i in range(3)
    ]
    assert wanted.keys == [(f"row {i}", None, 0, 0) for i in range(3)]
    half = program.dram_bytes // 2
    assert (wanted.dram[half:] == wanted.dram[:half]).all()


def test_values_that_were_reached_count(wanted):
    assert count_values(wanted, np.array([EQUAL, DIFFERENT, NOT_REACHED], np.uint32)) == 80


def test_wrong_values_are_counted_and_the_first_is_told(program, wanted):
    right = np.frombuffer(piece(program, 1), np.int16)
    found = right.copy()
    found[[21, 39]] ^= 1
    states = np.array([EQUAL, DIFFERENT, DIFFERENT], np.uint32)
    wrong, words = count_wrong(program, contents(program), wanted, states, [(1, found.tobytes())])
    assert wrong == 2 + 40  # the last piece was not kept
    assert words == (
        f"row 1[1, 1] must be {right[21]}, not {found[21]}, the first of 2 in 40, after segment copies, "
        "iteration 1, load instruction 1 (load dram=0x0 space=scratchpad address=0x20 size=96 based=1)"
    )


def test_nothing_is_wrong(program, wanted):
    states = np.full(3, EQUAL, np.uint32)
    assert count_wrong(program, contents(program), wanted, states, []) == (0, None)
