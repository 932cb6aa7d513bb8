"""What must hold for every compiled program: bounds, and more of a resource is never slower."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intarsia.arch.machine import Machine
from intarsia.arch.timing import simulate_program
from intarsia.emu.compile import compile_graph
from intarsia.emu.traffic import moved_bytes
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import SegmenterConfig
from intarsia.model.quantize.outline import outline
from tests.emu.bounds import array_bound

SIZES = [
    SegmenterConfig.named("mini", "scenes", l2norm=False),
    SegmenterConfig.named("tiny", image=(160, 112), l2norm=False),
    SegmenterConfig.named("small", image=(96, 208), classes=19, l2norm=False),
]
GRAPHS = [outline(config) for config in SIZES]

MACHINES = st.builds(
    Machine,
    name=st.just("any"),
    clock_mhz=st.just(100),
    lanes=st.sampled_from([8, 16, 32]),
    depth=st.sampled_from([8, 32]),
    accumulator_rows=st.sampled_from([64, 200]),
    shiftmax_lanes=st.sampled_from([2, 16]),
    layernorm_lanes=st.sampled_from([2, 16]),
    gelu_lanes=st.sampled_from([2, 16]),
    elementwise_lanes=st.sampled_from([4, 32]),
    banks=st.sampled_from([300, 800]),
    bank_kib=st.just(2),
    stationary_kib=st.sampled_from([64, 256]),
    memory_width=st.sampled_from([2, 16]),
    memory_latency=st.sampled_from([10, 400]),
)


def cycles(graph, machine):
    return simulate_program(compile_graph(graph, machine)).cycles


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(which=st.integers(0, len(GRAPHS) - 1), machine=MACHINES)
def test_bounds_and_monotony(which, machine):
    graph = GRAPHS[which]
    try:
        program = compile_graph(graph, machine)
    except InputError as error:
        assert ": set " in str(error)
        return
    timeline = simulate_program(program)
    assert timeline.cycles >= array_bound(program)
    moved = moved_bytes(program).values()
    for way in ("read", "write"):
        assert timeline.cycles >= sum(m[way] for m in moved) / machine.memory_width
    for unit in timeline.units:
        assert unit.busy + unit.stalled == timeline.cycles
    # The same program: compiled anew, another plan may win (see the next tests).
    for faster in (
        {"memory_width": 2 * machine.memory_width},
        {"memory_latency": machine.memory_latency // 2},
        {"shiftmax_lanes": 2 * machine.shiftmax_lanes},
        {"gelu_lanes": 2 * machine.gelu_lanes},
        {"layernorm_lanes": 2 * machine.layernorm_lanes},
        {"elementwise_lanes": 2 * machine.elementwise_lanes},
    ):
        same = replace(program, machine=replace(machine, **faster))
        assert simulate_program(same).cycles <= timeline.cycles, faster


@pytest.mark.parametrize("graph", GRAPHS, ids=["mini", "tiny", "small"])
@pytest.mark.parametrize("preset", ["edge", "mobile"])
@pytest.mark.parametrize("key", ["memory_width", "layernorm_lanes", "elementwise_lanes", "gelu_lanes"])
def test_compiled_for_faster_units_it_is_hardly_ever_slower(graph, preset, key):
    """Bandwidth and lanes take part in the estimate by which plans are compared."""
    machine = Machine.load(preset)
    best = cycles(graph, machine)
    for factor in (2, 4):
        found = cycles(graph, replace(machine, **{key: factor * getattr(machine, key)}))
        assert found <= 1.01 * best
        best = min(best, found)


@pytest.mark.parametrize("graph", GRAPHS, ids=["mini", "tiny", "small"])
@pytest.mark.parametrize("preset", ["edge", "mobile"])
@pytest.mark.parametrize("key", ["banks", "bank_kib", "stationary_kib", "accumulator_rows"])
def test_more_memory_is_hardly_ever_slower(graph, preset, key):
    """Plans are compared by an estimate, so a larger memory may lead to one that is a little slower
    (docs/emulator.md), never to one that is slower by more than a few per cent."""
    machine = Machine.load(preset)
    value = getattr(machine, key)
    sizes = [value * k // 4 for k in (2, 3, 4, 5, 8)]
    best = None
    for size in sizes:
        if size > 1024 and key == "banks":
            break
        try:
            found = cycles(graph, replace(machine, **{key: size + size % 2}))
        except InputError:
            assert best is None
            continue
        assert best is None or found <= 1.03 * best
        best = found if best is None else min(best, found)
    assert best is not None
