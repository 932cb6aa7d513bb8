"""Pauses are where no instruction is, and add up to the stalls of the timeline."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings

from intarsia.arch.isa import Unit, Wait
from intarsia.arch.program import Program
from intarsia.arch.timing import Timeline, simulate_program
from intarsia.emu.simulation import network, simulate
from intarsia.emu.waits import pauses_of
from tests.arch.programs import ARGMAX, LOAD, MATMUL, Queues, program, programs, segment


def check(one: Program, timeline: Timeline) -> None:
    for unit, pauses in zip(timeline.units, pauses_of(one, timeline), strict=True):
        causes = {pause.cause for pause in pauses}
        assert causes == set(unit.stalls) - {"wait"}
        for cause in causes:
            mine = [pause for pause in pauses if pause.cause == cause]
            assert sum(pause.stalled for pause in mine) == unit.stalls[cause]
            assert sum(pause.stalled for pause in mine if pause.idle) == unit.idles.get(cause, 0)
        for before, after in pairwise(pauses):
            assert before.end <= after.start
        for pause in pauses:
            assert 0 <= pause.start < pause.end <= timeline.cycles
            assert pause.next == len(unit.start) or unit.start[pause.next] >= pause.end
            assert pause.next == 0 or unit.end[pause.next - 1] <= pause.start
            if pause.instruction >= 0:
                assert timeline.units[Unit[pause.cause.upper()]].end[pause.instruction] == pause.end


@settings(max_examples=60, deadline=None)
@given(programs())
def test_pauses_are_the_stalls(one: Program) -> None:
    check(one, simulate_program(one))


def test_of_a_network() -> None:
    report = simulate(model=network("mini", "scenes", (64, 80)), machine="edge")
    check(report.program, report.timeline)


def test_a_pause_names_what_ended_it() -> None:
    queues: Queues = {
        Unit.LOAD: [LOAD, LOAD],
        Unit.ARRAY: [Wait(Unit.LOAD, 1), MATMUL],
        Unit.ELEMENTWISE: [Wait(Unit.LOAD, 2), ARGMAX, Wait(Unit.ARRAY, 1), ARGMAX],
    }
    one = program(segment(queues, 2))
    found = pauses_of(one, simulate_program(one))
    first, second = found[Unit.ELEMENTWISE][:2]
    assert (first.start, first.end, first.cause, first.idle) == (0, 220, "load", True)
    assert (first.instruction, first.next) == (1, 0)
    assert (second.cause, second.idle, second.instruction, second.next) == ("array", False, 0, 1)
    assert [pause.cause for pause in found[Unit.GELU]] == ["finished"]
