"""Event simulation: small programs by hand, a naive model, invariants."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.arch.duration import cycles
from intarsia.arch.isa import UNIT, Instruction, Shiftmax, Unit, Wait
from intarsia.arch.program import Program
from intarsia.arch.timing import ProgramError, Timeline, simulate_program
from intarsia.model.errors import InputError
from tests.arch.machines import MACHINE
from tests.arch.programs import (
    ARGMAX,
    LOAD,
    MATMUL,
    SAMPLES,
    STORE,
    A,
    Queues,
    T,
    program,
    programs,
    segment,
)


def times(timeline: Timeline, unit: Unit) -> list[tuple[int, int]]:
    one = timeline.units[unit]
    return list(zip(one.start.tolist(), one.end.tolist(), strict=True))


def test_a_queue_runs_back_to_back() -> None:
    found = simulate_program(program(segment({Unit.LOAD: [LOAD, LOAD, LOAD]})))
    assert times(found, Unit.LOAD) == [(0, 110), (110, 220), (220, 330)]
    assert found.cycles == 330
    assert found.units[Unit.ARRAY].stalls == {"finished": 330}


def test_a_wait_takes_a_cycle_and_then_until_met() -> None:
    queues: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [LOAD, LOAD],
        Unit.ARRAY: [Wait(Unit.LOAD, 1), MATMUL],
        Unit.ELEMENTWISE: [Wait(Unit.LOAD, 0), ARGMAX, Wait(Unit.ARRAY, 1), Wait(Unit.LOAD, 2), ARGMAX],
    }
    found = simulate_program(program(segment(queues)))
    assert times(found, Unit.ARRAY) == [(110, 110 + T)]
    # The array ends at 110 + T; the wait for the second load is met and costs its own cycle.
    assert times(found, Unit.ELEMENTWISE) == [(1, 1 + A), (111 + T, 111 + T + A)]
    assert found.cycles == 111 + T + A
    assert found.units[Unit.ARRAY].stalls == {"load": 109, "wait": 1, "finished": 1 + A}
    assert found.units[Unit.ELEMENTWISE].stalls == {"array": 108 + T - A, "wait": 3}
    assert found.units[Unit.LOAD].stalls == {"finished": T + A - 109}
    # Before the first instruction and behind the last there is no work; in between it is a stall.
    assert found.units[Unit.ARRAY].idles == found.units[Unit.ARRAY].stalls
    assert found.units[Unit.ELEMENTWISE].idles == {"wait": 1}
    assert found.units[Unit.ELEMENTWISE].mid_work_stalls == {"array": 108 + T - A, "wait": 2}
    assert found.units[Unit.GELU].idle == found.cycles


def test_segments_are_separated_by_a_barrier() -> None:
    first = segment({Unit.LOAD: [LOAD], Unit.ELEMENTWISE: [ARGMAX]}, name="first")
    second = segment({Unit.LOAD: [LOAD], Unit.ELEMENTWISE: [ARGMAX, ARGMAX]}, name="second")
    found = simulate_program(program(first, second))
    assert times(found, Unit.ELEMENTWISE) == [(0, A), (110, 110 + A), (110 + A, 110 + 2 * A)]
    assert found.units[Unit.ELEMENTWISE].stalls == {"barrier": 110 - A, "finished": 110 - 2 * A}
    assert found.units[Unit.ELEMENTWISE].idle == 220 - 3 * A
    assert [(s.name, s.start, s.end) for s in found.segments] == [("first", 0, 110), ("second", 110, 220)]


def test_iterations_overlap_and_count_on() -> None:
    """Two buffers: load i waits for the array two instructions before, the array for load i."""
    queues: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [Wait(Unit.ARRAY, -1), LOAD],
        Unit.ARRAY: [Wait(Unit.LOAD, 1), MATMUL],
    }
    found = simulate_program(program(segment(queues, repeat=4, label="layer{i}")))
    # The array takes T, and 1 for its wait, and is the bottleneck.
    begins = [111 + k * (T + 1) for k in range(4)]
    assert times(found, Unit.ARRAY) == [(begin, begin + T) for begin in begins]
    loads = [1, 112, 111 + T, 112 + 2 * T]
    assert times(found, Unit.LOAD) == [(begin, begin + 110) for begin in loads]
    assert found.names == ("layer0", "layer1", "layer2", "layer3")
    assert [layer.name for layer in found.layers] == list(found.names)
    # Every iteration is a piece of work: with one instruction in each, nothing is in its middle.
    assert found.units[Unit.ARRAY].mid_work == found.units[Unit.LOAD].mid_work == 0


@pytest.mark.parametrize(
    ("queues", "message"),
    [
        (
            {Unit.LOAD: [Wait(Unit.ARRAY, 1), LOAD], Unit.ARRAY: [Wait(Unit.LOAD, 1), MATMUL]},
            "segment s: load waits for ever at 0 of its queue: array must reach 1, not 0",
        ),
        (
            {Unit.LOAD: [LOAD], Unit.ARRAY: [MATMUL, Wait(Unit.LOAD, 2), MATMUL]},
            "segment s: array waits for ever at 1 of its queue: load must reach 2, not 1",
        ),
        (
            {Unit.LOAD: [Wait(Unit.LOAD, 1), LOAD]},
            "segment s: load waits for ever at 0 of its queue: load must reach 1, not 0",
        ),
    ],
)
def test_deadlock(queues: Queues, message: str) -> None:
    with pytest.raises(ProgramError, match=f"^{message}$"):
        simulate_program(program(segment(queues, repeat=3)))
    assert issubclass(ProgramError, InputError)


def test_layers() -> None:
    queues: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [LOAD, LOAD],
        Unit.ARRAY: [Wait(Unit.LOAD, 1), MATMUL],
        Unit.SHIFTMAX: [Wait(Unit.ARRAY, 1), Shiftmax(0, 0, 10, 20, 0, 0, 0)],
        Unit.STORE: [STORE],
    }
    labels = (("fc", "embedding"), ("spill",), ("fc",), ("softmax",), (), (), ())
    found = simulate_program(program(replace(segment(queues), labels=labels)))
    layers = {layer.name: layer for layer in found.layers}
    fc = layers["fc"]
    assert (fc.op, fc.start, fc.end, fc.cycles, fc.busy) == ("matmul", 110, 110 + T, T, T)
    assert (fc.macs, fc.dram_read, fc.dram_write) == (100 * 32 * 32, 96, 0)
    assert fc.utilization == 100 / T
    assert (layers["embedding"].op, layers["embedding"].start) == ("load", 110)
    assert (layers["spill"].op, layers["spill"].dram_write) == ("store", 16)
    assert layers["softmax"].op == "shiftmax"
    assert found.macs == 100 * 32 * 32
    assert found.utilization == 100 * 32 * 32 / (found.cycles * 1024)


def naive(one: Program) -> tuple[list[list[tuple[int, int]]], int]:
    """Cycle by cycle, as the hardware: a count is seen in the cycle after the instruction's last."""
    found: list[list[tuple[int, int]]] = [[] for _ in Unit]
    now = 0
    for part in one.segments:
        totals = [sum(not isinstance(i, Wait) for i in queue) for queue in part.queues]
        place, left, counts = [0] * 7, [0] * 7, [0] * 7
        waiting = [False] * 7
        while any(place[u] < len(part.queues[u]) * part.repeat or left[u] for u in Unit):
            for u in Unit:
                while not left[u] and place[u] < len(part.queues[u]) * part.repeat:
                    iteration, index = divmod(place[u], len(part.queues[u]))
                    instruction = part.queues[u][index]
                    if not isinstance(instruction, Wait):
                        left[u] = cycles(instruction, one.machine)
                        found[u].append((now, now + left[u]))
                        break
                    target = iteration * totals[instruction.unit] + instruction.count
                    if not waiting[u]:
                        waiting[u] = True
                        break
                    if counts[instruction.unit] < target:
                        break
                    waiting[u] = False
                    place[u] += 1
            now += 1
            for u in Unit:
                if left[u]:
                    left[u] -= 1
                    if not left[u]:
                        counts[u] += 1
                        place[u] += 1
        if any(waiting):
            raise AssertionError("a wait is open at the barrier")
    return found, now


@settings(max_examples=40, deadline=None)
@given(programs(rows=8, size=200, repeat=4))
def test_equals_a_naive_model(one: Program) -> None:
    one = replace(one, machine=replace(MACHINE, memory_latency=3, lanes=4, depth=64))
    found = simulate_program(one)
    wanted, end = naive(one)
    assert [times(found, unit) for unit in Unit] == wanted
    assert found.cycles == end


@settings(max_examples=60, deadline=None)
@given(programs())
def test_busy_and_stalled_add_up(one: Program) -> None:
    found = simulate_program(one)
    for unit in found.units:
        assert unit.busy + unit.stalled == found.cycles
        assert unit.busy + unit.idle + unit.mid_work == found.cycles
        assert sum(unit.mid_work_stalls.values()) == unit.mid_work
        assert all(value > 0 for value in (*unit.stalls.values(), *unit.idles.values()))
        assert all(unit.stalls[cause] >= value for cause, value in unit.idles.items())
        assert (unit.start[1:] >= unit.end[:-1]).all()
        assert unit.busy == int((unit.end - unit.start).sum())
        assert len(unit.label) == len(unit.start)
    assert found.cycles >= max(unit.busy for unit in found.units)


@settings(max_examples=60, deadline=None)
@given(programs(), st.sampled_from(["memory_width", "elementwise_lanes"]))
def test_more_is_never_slower(one: Program, field: str) -> None:
    machine = replace(one.machine, **{field: getattr(one.machine, field) * 2})
    assert simulate_program(replace(one, machine=machine)).cycles <= simulate_program(one).cycles


@settings(max_examples=30, deadline=None)
@given(programs(), st.integers(20, 60))
def test_a_steady_state_is_copied_exactly(one: Program, repeat: int) -> None:
    """Unrolling a loop by hand, which leaves nothing to copy, gives the same times."""
    first = one.segments[0]
    totals = [len(labels) for labels in first.labels]
    unrolled: dict[Unit, list[Instruction]] = {unit: [] for unit in Unit}
    for iteration in range(repeat):
        for unit in Unit:
            for i in first.queues[unit]:
                moved = Wait(i.unit, i.count + iteration * totals[i.unit]) if isinstance(i, Wait) else i
                unrolled[unit].append(moved)
    looped = simulate_program(program(replace(first, repeat=repeat)))
    flat = simulate_program(program(segment(unrolled)))
    assert looped.cycles == flat.cycles
    for a, b in zip(looped.units, flat.units, strict=True):
        assert np.array_equal(a.start, b.start) and np.array_equal(a.end, b.end)
        assert a.stalls == b.stalls
        # Of one iteration without an end there is more middle.
        assert all(b.idles.get(cause, 0) <= value for cause, value in a.idles.items())


def test_a_hundred_thousand_instructions_in_a_second() -> None:
    body: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [Wait(Unit.ARRAY, -1000), LOAD] * 1000,
        Unit.ARRAY: [i for n in range(1, 2001) for i in (Wait(Unit.LOAD, (n + 1) // 2), MATMUL)],
        Unit.ELEMENTWISE: [i for n in range(1, 1001) for i in (Wait(Unit.ARRAY, 2 * n), ARGMAX)],
    }
    one = program(segment(body, repeat=25, label="block{i}"))
    begin = time.perf_counter()
    found = simulate_program(one)
    assert time.perf_counter() - begin < 1
    assert sum(len(unit.start) for unit in found.units) == 100_000


def test_every_unit_of_the_samples_is_its_own() -> None:
    assert all(UNIT[type(one)] is unit for unit, one in SAMPLES.items())
