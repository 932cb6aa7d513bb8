"""Plays cases of one kind and says what was wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from intarsia.sim.bus.case import Case, Report
from intarsia.sim.bus.cases import CASES
from intarsia.sim.bus.design import simulator
from intarsia.sim.runner import play_jobs


@dataclass(frozen=True)
class Outcome:
    """Of all cases of a kind.

    runs : programs started;  cycles : simulated;  bursts : on the memory port
    in_flight : errors that came while the memory owed something;  faults : sentences
    """

    runs: int
    cycles: int
    bursts: int
    in_flight: int
    faults: tuple[str, ...]


def check(name: str, seeds: Iterable[int]) -> Outcome:
    """Cases of this name. Raises SimulatorError if the simulator fails, or if the memory ends it, which
    asserts some rules of AXI4 itself."""
    return play([CASES[name](seed) for seed in seeds])


def play(cases: list[Case]) -> Outcome:
    """Plays them in one process."""
    reports: list[Report] = play_jobs(simulator(), "intarsia.sim.bus.player", cases)
    return Outcome(
        runs=sum(report.runs for report in reports),
        cycles=sum(report.cycles for report in reports),
        bursts=sum(report.bursts for report in reports),
        in_flight=sum(report.in_flight for report in reports),
        faults=tuple(fault for report in reports for fault in report.faults),
    )
