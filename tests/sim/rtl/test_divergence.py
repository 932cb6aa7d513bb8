"""The first instruction that is not in its cycle, and how it is said."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.arch.isa import Unit
from intarsia.arch.timing import simulate_program
from intarsia.sim.rtl.divergence import first_divergence
from tests.sim.rtl.programs import copies


@pytest.fixture
def program():
    return copies()


@pytest.fixture
def times(program):
    timeline = simulate_program(program)
    return timeline, [u.start.copy() for u in timeline.units], [u.end.copy() for u in timeline.units]


def test_none_where_all_is_equal(program, times):
    timeline, starts, ends = times
    assert first_divergence(program, timeline, tuple(starts), tuple(ends)) is None


def test_the_earliest_one_is_told(program, times):
    timeline, starts, ends = times
    late = int(ends[Unit.STORE][1])
    ends[Unit.STORE][1] += 5
    starts[Unit.LOAD][2] += 5
    ends[Unit.STORE][2] += 5
    found = first_divergence(program, timeline, tuple(starts), tuple(ends))
    assert found is not None
    assert (found.unit, found.event, found.expected, found.seen) == (Unit.STORE, "end", late, late + 5)
    assert str(found) == (
        f"end must be in cycle {late}, not in {late + 5}: segment copies, iteration 1, store instruction 1 "
        "(store dram=0x120 address=0x20 size=96 based=1)"
    )


def test_an_end_goes_before_a_start_of_the_same_cycle(program, times):
    timeline, starts, ends = times
    ends[Unit.LOAD][0] -= 3
    starts[Unit.GELU] = np.array([int(ends[Unit.LOAD][0])])
    found = first_divergence(program, timeline, tuple(starts), tuple(ends))
    assert found is not None
    assert (found.unit, found.event) == (Unit.LOAD, "end")


def test_what_is_missing_and_what_is_too_much(program, times):
    timeline, starts, ends = times
    wanted = int(ends[Unit.STORE][-1])
    ends[Unit.STORE] = ends[Unit.STORE][:-1]
    found = first_divergence(program, timeline, tuple(starts), tuple(ends))
    assert str(found).startswith(
        f"end must be in cycle {wanted}, not missing: segment copies, iteration 2, store"
    )
    starts[Unit.ARRAY] = np.array([7])
    found = first_divergence(program, timeline, tuple(starts), tuple(ends))
    assert str(found) == "cycle 7: array: start of an instruction too many"
