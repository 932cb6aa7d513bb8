"""Waves of a run: which cycles they are of, and that they show what the RTL did in these."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vcd.reader import TokenKind, tokenize

from intarsia.arch.isa import Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.timing import simulate_program
from intarsia.model.errors import InputError
from intarsia.sim.rtl import waves as module
from intarsia.sim.rtl.place import number_of, place_of
from intarsia.sim.rtl.run import compare_program
from intarsia.sim.rtl.waves import AROUND, Waves
from tests.sim.rtl.programs import contents, copies

PROGRAM = replace(copies(), machine=Machine.load("tests/hw/whole.toml"))
LINE = simulate_program(PROGRAM)


def test_numbers_of_instructions_go_both_ways():
    for unit in (Unit.LOAD, Unit.STORE):
        for number in range(len(LINE.units[unit].start)):
            assert number_of(place_of(PROGRAM, unit, number)) == number


def test_cycles_of_an_instruction():
    store = LINE.units[Unit.STORE]
    for text in ("store:copies:2:1", "1:1:2:1"):
        first, last = Waves(Path("a.vcd"), instruction=text).cycles(PROGRAM, LINE)
        assert (first, last) == (store.start[2] - AROUND, store.end[2] - 1 + AROUND)
    assert Waves(Path("a.vcd"), instruction="load:copies:0:1").cycles(PROGRAM, LINE)[0] == 0
    assert Waves(Path("a.vcd"), 5, 9).cycles(PROGRAM, LINE) == (5, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store:copies:2", "UNIT:SEGMENT:ITERATION:INDEX, such as array:0:0:7, not 'store:copies:2'"),
        ("gpu:copies:0:0", "unit must be one of load, store, array,"),
        ("load:none:0:0", "segment must be one of empty, copies, not 'none'"),
        ("load:2:0:0", "segment must be one of empty, copies, not '2'"),
        ("load:copies:3:0", "iteration of segment copies must be in 0..2, not '3'"),
        ("load:copies:-1:0", "iteration of segment copies must be in 0..2, not '-1'"),
        ("load:copies:0:2", "instruction of load in copies must be in 0..1, not '2'"),
        ("array:copies:0:0", "there is no instruction of array in copies"),
        ("load:copies:0:0", "load:copies:0:0 is a wait, which has no cycles of its own: segment copies"),
    ],
)
def test_instructions_that_are_not_there(text, message):
    assert isinstance(PROGRAM.segments[1].queues[Unit.LOAD][0], Wait)
    with pytest.raises(InputError) as error:
        Waves(Path("a.vcd"), instruction=text).cycles(PROGRAM, LINE)
    assert message in str(error.value)


def test_cycles_that_are_not_there():
    with pytest.raises(InputError, match=f"ends after {LINE.cycles} cycles, not in {LINE.cycles}"):
        Waves(Path("a.vcd"), LINE.cycles, LINE.cycles + 5).cycles(PROGRAM, LINE)
    with pytest.raises(InputError, match="waves must end in cycle 4, where they begin, or later, not in 3"):
        Waves(Path("a.vcd"), 4, 3).check()
    with pytest.raises(InputError, match="--waves must be a file .fst or .vcd, not a.txt"):
        Waves(Path("a.txt"), 1, 3).check()


def test_headers_that_are_missing_are_named(monkeypatch):
    there = ("vector", "-lm", "g++")
    monkeypatch.setattr(module, "LIBRARIES", (there, ("none.h", "-lm", "libnone-dev")))
    with pytest.raises(
        InputError, match=r"FST needs none.h \(Debian: libnone-dev\) beside the C\+\+ compiler"
    ):
        Waves(Path("a.fst"), 1, 3).check()
    Waves(Path("a.vcd"), 1, 3).check()
    monkeypatch.setattr(module, "LIBRARIES", (there,))
    Waves(Path("a.FST"), 1, 3).check()


def values(path: Path, name: str, scope: str = "accelerator") -> dict[int, int]:
    """Of a signal of an instance, by time in ns."""
    found: dict[int, int] = {}
    scopes: list[str] = []
    wanted, time = "", 0
    with path.open("rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.TIMESCALE:
                assert (token.timescale.magnitude.value, token.timescale.unit.value) == (1, "ns")
            elif token.kind is TokenKind.SCOPE:
                scopes.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scopes.pop()
            elif token.kind is TokenKind.VAR and scopes[-1] == scope and token.var.reference == name:
                wanted = token.var.id_code
            elif token.kind is TokenKind.CHANGE_TIME:
                time = token.time_change
            elif token.kind is TokenKind.CHANGE_SCALAR and token.scalar_change.id_code == wanted:
                found[time] = int(token.scalar_change.value)
            elif token.kind is TokenKind.CHANGE_VECTOR and token.vector_change.id_code == wanted:
                found[time] = int(token.vector_change.value)
    assert wanted
    return found


def at(changes: dict[int, int], time: int) -> int:
    """The value at a time."""
    return changes[max(t for t in changes if t <= time)]


@pytest.mark.parametrize("suffix", [".vcd", pytest.param(".fst", marks=pytest.mark.needs("fst2vcd"))])
def test_the_waves_show_what_the_rtl_did(tmp_path, suffix):
    path = tmp_path / f"waves{suffix}"
    found = compare_program(PROGRAM, contents(PROGRAM), waves=Waves(path, instruction="store:copies:1:1"))
    assert found.problems == ()
    first, last = found.waves
    if suffix == ".fst":
        text = subprocess.run(["fst2vcd", "-f", path], capture_output=True, check=True).stdout
        path = tmp_path / "waves.vcd"
        path.write_bytes(text)
    clock = values(path, "clk")
    assert [time for time, value in clock.items() if value] == [10 * c for c in range(first, last + 1)]
    assert [time for time, value in clock.items() if not value] == [
        10 * c + 5 for c in range(first, last + 1)
    ]
    assert path.stat().st_size < 5_000_000
    counter = values(path, "cycles", "control")
    assert [at(counter, 10 * c + 5) for c in range(first, last + 1)] == [*range(first, last + 1)]
    starts = values(path, "trace_start")
    for unit in LINE.units:
        seen = [c for c in range(first, last + 1) if at(starts, 10 * c + 5) >> unit.unit & 1]
        assert seen == [int(c) for c in unit.start if first <= c <= last]
    assert LINE.units[Unit.STORE].start[1] == first + AROUND
    running = values(path, "running")
    assert np.all(list(running.values()))
