"""Random programs: legal, and the same in the RTL to the byte and the cycle."""

from __future__ import annotations

from collections import Counter

from intarsia.arch.hazards import check_program
from intarsia.arch.isa import UNIT
from intarsia.arch.random_program import random_program
from intarsia.sim.rtl.run import compare_program
from tools.random_programs import BASE

PROGRAMS = 20


def test_programs_are_legal_and_of_all_kinds() -> None:
    kinds: Counter[type] = Counter()
    for seed in range(8):
        program, _ = random_program(BASE, seed)
        check_program(program)
        kinds.update(type(i) for segment in program.segments for queue in segment.queues for i in queue)
    assert set(kinds) >= set(UNIT)


def test_equal_in_the_rtl() -> None:
    for seed in range(PROGRAMS):
        found = compare_program(*random_program(BASE, seed))
        assert found.problems == ()
        assert found.mismatched_values == 0
        assert found.compared_values > BASE.scratchpad_bytes
        assert found.rtl_cycles == found.emulated_cycles
