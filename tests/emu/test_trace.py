"""The Chrome trace says what the timeline says."""

from __future__ import annotations

import json

import pytest

from emu.isa import Load, Matmul, Space, Unit, Wait
from emu.machine import Machine
from emu.program import Program, Segment
from emu.timing import simulate_program
from emu.trace import write_trace
from model.errors import InputError


@pytest.fixture
def timeline():
    queues = [()] * 7
    queues[Unit.LOAD] = (Load(0, Space.STATIONARY, 0, 1408),)
    queues[Unit.ARRAY] = (Wait(Unit.LOAD, 1), Matmul(0, 0, 4096, 8, 16, 4, 64, 16, 16))
    labels = [()] * 7
    labels[Unit.LOAD] = labels[Unit.ARRAY] = ('block "{i}"',)
    segment = Segment("all", tuple(queues), tuple(labels), repeat=3)
    return simulate_program(Program(Machine.load("mobile"), (segment,), (), 4096, "uint8"))


def test_every_instruction_is_an_event_in_cycles(timeline, tmp_path):
    write_trace(timeline, tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    threads = {
        e["tid"]: e["args"]["name"]
        for e in trace["traceEvents"]
        if e["ph"] == "M" and e["name"] == "thread_name"
    }
    assert threads == {int(unit): unit.name.lower() for unit in Unit} | {7: "segments"}
    spans = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    for unit in timeline.units:
        mine = [e for e in spans if e["tid"] == int(unit.unit)]
        assert [round(e["ts"] * 1000) for e in mine] == unit.start.tolist()
        assert [round((e["ts"] + e["dur"]) * 1000) for e in mine] == unit.end.tolist()
        assert [e["name"] for e in mine] == [timeline.names[label] for label in unit.label]
    assert [e["name"] for e in spans if e["tid"] == int(Unit.ARRAY)] == [f'block "{i}"' for i in range(3)]
    (segment,) = (e for e in spans if e["tid"] == 7)
    assert (segment["name"], segment["ts"], round(segment["dur"] * 1000)) == ("all", 0, timeline.cycles)
    assert trace["otherData"]["cycles"] == timeline.cycles


def test_one_event_per_line_and_the_same_every_time(timeline, tmp_path):
    for name in ("a.json", "b.json"):
        write_trace(timeline, tmp_path / name)
    text = (tmp_path / "a.json").read_text()
    assert text == (tmp_path / "b.json").read_text()
    assert len(text.splitlines()) == 1 + (1 + 8) + 1 + 6 + 1  # frame, names, segment, instructions
    assert '"ts": 0.000' in text


def test_a_place_that_cannot_be_written_is_refused(timeline, tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_trace(timeline, tmp_path)
