"""The Chrome trace says what the timeline says."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from intarsia.arch.isa import Load, Matmul, Space, Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Segment
from intarsia.arch.timing import simulate_program
from intarsia.emu.over_time import OverTime
from intarsia.emu.simulation import network, simulate_graph
from intarsia.emu.trace import write_trace
from intarsia.model.errors import InputError


@pytest.fixture
def run():
    queues = [()] * 7
    queues[Unit.LOAD] = (Load(0, Space.STATIONARY, 0, 1408), Load(64, Space.STATIONARY, 0, 32, based=True))
    queues[Unit.ARRAY] = (Wait(Unit.LOAD, 1), Matmul(0, 0, 4096, 8, 16, 4, 64, 16, 16))
    labels = [()] * 7
    labels[Unit.LOAD] = ('block "{i}"', "weights")
    labels[Unit.ARRAY] = ('block "{i}"',)
    segment = Segment("all", tuple(queues), tuple(labels), repeat=3, base=256, base_step=1024)
    one = Program(Machine.load("mobile"), (segment,), (), 4096, "uint8")
    return OverTime(one, simulate_program(one))


def read(over_time, tmp_path):
    write_trace(over_time, tmp_path / "trace.json")
    return json.loads((tmp_path / "trace.json").read_text(), parse_float=Decimal)


def test_every_instruction_is_an_event(run, tmp_path):
    trace, timeline = read(run, tmp_path), run.timeline
    threads = {
        e["tid"]: e["args"]["name"]
        for e in trace["traceEvents"]
        if e["ph"] == "M" and e["name"] == "thread_name"
    }
    assert threads == {int(unit): unit.name.lower() for unit in Unit} | {7: "segments"}
    spans = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["cat"] == "instruction"]
    for unit in timeline.units:
        mine = [e for e in spans if e["tid"] == int(unit.unit)]
        assert [e["args"]["start"] for e in mine] == unit.start.tolist()
        assert [e["args"]["end"] for e in mine] == unit.end.tolist()
        assert [e["name"] for e in mine] == [timeline.names[label] for label in unit.label]
    assert [e["name"] for e in spans if e["tid"] == int(Unit.ARRAY)] == [f'block "{i}"' for i in range(3)]
    (segment,) = (e for e in trace["traceEvents"] if e.get("tid") == 7 and e["ph"] == "X")
    assert (segment["name"], segment["args"]) == ("all", {"start": 0, "end": timeline.cycles})
    assert trace["otherData"]["cycles"] == timeline.cycles
    assert trace["displayTimeUnit"] == "ns"


@pytest.mark.parametrize("mhz", [800, 700, 1, 3333, 5000])
def test_times_are_true_times(run, tmp_path, mhz):
    """In microseconds: a cycle at 800 MHz is 1.25 ns. Rounded down to a picosecond, nothing overlaps."""
    one = replace(run.program, machine=replace(run.program.machine, clock_mhz=mhz))
    trace = read(OverTime(one, simulate_program(one)), tmp_path)
    assert float(trace["otherData"]["ns_per_cycle"]) == 1000 / mhz
    last = {}
    for event in trace["traceEvents"]:
        if event["ph"] != "X":
            continue
        start, end = (event["args"][key] for key in ("start", "end"))
        assert 0 <= Decimal(start) / mhz - event["ts"] < Decimal("1e-6")
        assert 0 <= Decimal(end) / mhz - event["ts"] - event["dur"] < Decimal("1.002e-6")
        assert event["ts"] >= last.get(event["tid"], 0)
        last[event["tid"]] = event["ts"] + event["dur"]


def test_a_slice_tells_layer_operands_and_base(run, tmp_path):
    events = read(run, tmp_path)["traceEvents"]
    loads = [e for e in events if e.get("cat") == "instruction" and e["tid"] == int(Unit.LOAD)]
    assert loads[2]["args"] == {
        "layer": 'block "1"', "instruction": "load",
        "operands": {"dram": "0x0", "space": "stationary", "address": "0x0", "size": "1408"},
        "start": loads[2]["args"]["start"], "end": loads[2]["args"]["end"],
    }  # fmt: skip
    assert [e["args"]["base"] for e in loads[1::2]] == ["0x100", "0x500", "0x900"]
    product = next(e for e in events if e.get("cat") == "instruction" and e["tid"] == int(Unit.ARRAY))
    wanted = {"x": "0x0", "out": "0x1000", "m": "8", "k": "16", "n": "4", "layout": "packed"}
    assert wanted.items() <= product["args"]["operands"].items()


def test_a_pause_tells_what_it_waited_for(run, tmp_path):
    events = read(run, tmp_path)["traceEvents"]
    pauses = [e for e in events if e.get("cat") in ("stall", "idle")]
    first = next(e for e in pauses if e["tid"] == int(Unit.ARRAY))
    assert (first["name"], first["ts"]) == ("idle: load", 0)
    assert first["args"] == {
        "layer": 'block "0"', "waits_for": "load", "cause": 'load: block "0"', "until_instruction": 0,
        "start": 0, "end": int(run.timeline.units[Unit.LOAD].end[0]),
    }  # fmt: skip
    gelu = [e for e in pauses if e["tid"] == int(Unit.GELU)]
    assert [(e["name"], e["args"]["end"]) for e in gelu] == [("idle: finished", run.timeline.cycles)]


@pytest.mark.parametrize("mhz", [500, 800, 1000, 1234])
def test_of_a_network(tmp_path, mhz):
    """All cycles of every unit are in slices, but for the waits that were met when they came."""
    machine = replace(Machine.load("edge"), clock_mhz=mhz)
    report = simulate_graph(network("mini", "scenes", (64, 80)), machine)
    trace = read(report.over_time, tmp_path)
    for unit in report.timeline.units:
        mine = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["tid"] == int(unit.unit)]
        covered = sum(e["args"]["end"] - e["args"]["start"] for e in mine)
        assert report.cycles - unit.stalls.get("wait", 0) <= covered <= report.cycles
        for before, after in pairwise(mine):
            assert before["args"]["end"] <= after["args"]["start"]
            # As viewers read them: in whole nanoseconds, after a product of doubles.
            time, length, then = (
                int(float(x) * 1000.0) for x in (before["ts"], before["dur"], after["ts"])
            )
            assert time + length <= then
        stalls = [e for e in mine if e["cat"] == "stall"]
        assert {e["args"]["waits_for"] for e in stalls} == set(unit.mid_work_stalls) - {"wait"}


def test_counters_add_up(tmp_path):
    report = simulate_graph(network("mini", "scenes", (64, 80)), Machine.load("edge"))
    trace = read(report.over_time, tmp_path)
    counters = [e for e in trace["traceEvents"] if e["ph"] == "C"]
    assert {e["name"] for e in counters} == {"DRAM bytes/cycle", "scratchpad live bytes"}
    mhz = report.machine.clock_mhz
    for name, key, wanted in (
        ("DRAM bytes/cycle", "read", report.traffic["dram"]["read"] // 8),
        ("DRAM bytes/cycle", "write", report.traffic["dram"]["write"] // 8),
        ("scratchpad live bytes", "live", int(report.over_time.bins(1).byte_cycles[0])),
    ):
        mine = [(float(e["ts"]) * mhz, float(e["args"][key])) for e in counters if e["name"] == name]
        area = sum(a[1] * (b[0] - a[0]) for a, b in pairwise(mine))
        assert area == pytest.approx(wanted, rel=1e-6)
        assert mine[-1][0] == pytest.approx(report.cycles)


def test_one_event_per_line_and_the_same_every_time(run, tmp_path):
    for name in ("a.json", "b.json"):
        write_trace(run, tmp_path / name)
    text = (tmp_path / "a.json").read_text()
    assert text == (tmp_path / "b.json").read_text()
    events = json.loads(text)["traceEvents"]
    assert len(text.splitlines()) == 1 + len(events) + 1
    assert '"ts": 0.000000' in text


def test_a_place_that_cannot_be_written_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_trace(run, tmp_path)
