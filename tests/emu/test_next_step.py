"""Where more memory changes something: what the compiler says of the sizes around it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intarsia.arch.machine import KEYS, Machine
from intarsia.emu import next_step
from intarsia.emu.compile import Compiler
from intarsia.emu.next_step import dram_bytes, next_steps, sentence
from intarsia.emu.report import render
from intarsia.emu.simulation import network, simulate_graph

SMALL = replace(Machine.load("edge"), banks=64, bank_kib=2, accumulator_rows=32)


@pytest.fixture(scope="module")
def report():
    return simulate_graph(network("mini", "scenes", (128, 128)), SMALL)


def moved(report, **changes):
    return dram_bytes(Compiler(report.graph, replace(report.machine, **changes)).program())


def test_the_step_is_where_less_is_moved(report):
    banks = report.more_memory[0]
    assert (banks["key"], banks["value"]) == ("scratchpad.banks", 64)
    assert banks["dram_bytes"] == moved(report) == sum(report.traffic["dram"].values()) // 8
    assert banks["next"] > 64
    assert moved(report, banks=banks["next"]) == banks["next_dram_bytes"] < banks["dram_bytes"]
    assert moved(report, banks=banks["next"] - 1) >= banks["dram_bytes"]
    assert banks["exact"]
    assert f"the next step is at {banks['next']}, " in sentence(banks)


def test_where_nothing_changes_it_says_up_to_where(report):
    stationary = report.more_memory[1]
    assert stationary["key"] == "stationary.kib"
    assert stationary["next"] is None
    assert stationary["up_to"] == 8 * SMALL.stationary_kib
    for factor in next_step.FACTORS:
        assert moved(report, stationary_kib=factor * SMALL.stationary_kib) >= stationary["dram_bytes"]
    assert f"nothing up to {8 * SMALL.stationary_kib} moves less" in sentence(stationary)


def test_the_search_stays_inside_the_ranges(report):
    ranges = {field: allowed for _, field, allowed in KEYS}
    top = replace(SMALL, stationary_kib=ranges["stationary_kib"].high, banks=ranges["banks"].high)
    one = simulate_graph(network("mini", "scenes", (16, 16)), top)
    found = next_steps(one.graph, one.program, one.short_of_memory)
    assert [(step["next"], step["up_to"]) for step in found] == [
        (None, top.banks),
        (None, top.stationary_kib),
    ]


def test_without_time_it_says_what_it_knows(report):
    for step in next_steps(report.graph, report.program, report.short_of_memory, seconds=-1):
        assert (step["next"], step["up_to"]) == (None, step["value"])
        assert f"nothing up to {step['value']} moves less" in sentence(step)
    ticks = iter([0.0, 0.0, 9.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(next_step, "monotonic", lambda: next(ticks))
        patch.setattr(next_step, "TRIED", ("scratchpad.banks",))
        (step,) = next_steps(report.graph, report.program, report.short_of_memory, seconds=5)
    assert (step["next"], step["exact"]) == (128, False)
    assert "at 128 or below" in sentence(step)


def test_nothing_is_searched_where_memory_is_not_short(monkeypatch):
    monkeypatch.setattr("intarsia.emu.simulation.next_steps", None)
    report = simulate_graph(network("mini", "scenes", (64, 80)), Machine.load("edge"))
    assert not any(report.short_of_memory.values())
    assert report.more_memory == []


def test_the_page_says_it(report):
    plain = report.to_dict() | {"over_time": report.over_time.to_dict(), "more_memory": report.more_memory}
    page = render(plain, report.timeline, report.roofline)
    assert f"the next step is at {report.more_memory[0]['next']}" in page
