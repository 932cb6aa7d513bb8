"""The whole accelerator between a host and a memory that others wrote.

`python -m intarsia.sim.bus` plays more.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from intarsia.sim.bus.case import Case, Run, Stop
from intarsia.sim.bus.cases import CASES, crowd
from intarsia.sim.bus.check import check, play

SEEDS = {"smooth": 1, "stalled": 2, "wrong": 3, "crowded": 5, "broken_bus": 2, "deadlock": 2, "silent": 3}


@pytest.mark.parametrize("name", CASES)
def test_a_program_ends_as_it_should(name: str) -> None:
    assert not check(name, range(1)).faults


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if SEEDS.get(name, 3) > 1])
def test_programs_end_as_they_should(name: str) -> None:
    outcome = check(name, range(SEEDS.get(name, 3)))
    assert not outcome.faults
    assert outcome.in_flight or name not in ("crowded", "broken_bus")


@pytest.fixture(scope="module")
def run() -> Run:
    material = crowd(0)
    return material.run("run", material.writes)


def changed(contents: bytes, place: int) -> bytes:
    return contents[:place] + bytes([contents[place] ^ 255]) + contents[place + 1 :]


def test_what_is_wrong_is_named(run: Run) -> None:
    """One run, held against what it does not do."""
    unit = 6
    busy = tuple(None if k != unit else 1 for k in range(7))
    tampered = {
        "bytes of DRAM are wrong, the first at 0x5: ": replace(run, wanted=changed(run.wanted or b"", 5)),
        "the end must be error 4 at unit 1, segment 0, iteration 0, index 2, not no error": replace(
            run, stop=Stop(4, 1, 0, 0, 2)
        ),
        "is the least that it can take": replace(run, cycles=3 * run.cycles),
        f"cycles in which unit {unit} was busy: ": replace(run, busy=busy),
        "the end must be no error, not error 4 at unit 0, segment 0, iteration 0, index 0": replace(
            run, answers={0: "slverr"}
        ),
        "no end after 1600 cycles: running 1, ": replace(run, closed="m_axi r", limit=1600),
        "a write to 0x7ffffc is answered with SLVERR, not OKAY": replace(run, writes=((0x7FFFFC, 0),)),
        "DRAM has changed between 0x0 and ": replace(run, wanted=None, fixed=((0, len(run.dram)),)),
    }
    cases = [Case(text, 1, (one,)) for text, one in tampered.items()]
    outcome = play([*cases, Case("in order", 1, (run,))])
    assert len(outcome.faults) == len(tampered)
    for text, fault in zip(tampered, outcome.faults, strict=True):
        assert text in fault.removeprefix(text)
