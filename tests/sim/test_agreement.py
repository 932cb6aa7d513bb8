"""Reference, fast executor and emulator on random graphs: equal, or refused with the name of a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numba
import numpy as np
import pytest

from intarsia.arch.machine import Machine
from intarsia.emu.compile import compile_graph, memory_image
from intarsia.model.errors import InputError
from intarsia.model.integer.check import check_graph
from intarsia.sim import agreement
from intarsia.sim.agreement import disagreements
from intarsia.sim.random_graph import random_graph, random_image, renamed, reordered, rewired
from tests.slow import few

GRAPHS, PARTS = 320, 8
MACHINES = [
    {"lanes": 8, "depth": 8, "accumulator_rows": 64, "banks": 512, "memory_width": 8},
    {"lanes": 4, "depth": 16, "accumulator_rows": 16, "banks": 256, "memory_width": 16},
    {"lanes": 16, "depth": 4, "accumulator_rows": 300, "banks": 700, "memory_width": 1},
    {"lanes": 8, "depth": 8, "accumulator_rows": 16, "banks": 10, "memory_width": 1},
]


def small(**changes: int) -> Machine:
    lanes = {f"{unit}_lanes": 4 for unit in ("shiftmax", "layernorm", "gelu", "elementwise")}
    other = {"clock_mhz": 100, "bank_kib": 1, "stationary_kib": 128, "memory_latency": 20}
    return Machine(name="small", **lanes, **other, **changes)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """The kernels have too little to do here to wake a second one."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


def play(seed: int) -> str | None:
    """One graph; the sentence with which it is refused."""
    rng = np.random.default_rng(seed)
    graph = check_graph(random_graph(rng))
    image = random_image(graph, rng)
    changes = [rewired] * int(rng.random() < 0.4) + [reordered] * int(rng.random() < 0.5)
    for change in [*changes, *[renamed] * int(rng.random() < 0.4)]:
        graph = change(graph, rng)
    names = {node.name for node in graph.nodes}
    try:
        check_graph(graph)
    except InputError as error:
        assert rewired in changes  # what the network is said to be is another
        return str(error)
    try:
        problems = disagreements(graph, small(**MACHINES[seed % len(MACHINES)]), image)
    except InputError as error:
        small_machine = ": set " in str(error)
        assert small_machine or any(str(error).startswith(f"{name}: ") for name in names), error
        return str(error)
    assert problems == [], seed
    return None


def test_what_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator runs with other weights than the executor, then the program with a probe less."""
    rng = np.random.default_rng(3)
    graph = random_graph(rng)
    image, machine = random_image(graph, rng), small(**MACHINES[0])
    assert disagreements(graph, machine, image) == []
    weight = graph.constants["encoder.blocks.0.fc2.weight"]
    other = replace(graph, constants={**graph.constants, "encoder.blocks.0.fc2.weight": 1 - weight})
    with monkeypatch.context() as patch:
        patch.setattr(agreement, "memory_image", lambda _, *rest: memory_image(other, *rest))
        found = disagreements(graph, machine, image)
        assert found[0].startswith("emulator: encoder.blocks.0.fc2[")
    program = compile_graph(graph, machine)
    segments = [replace(s, probes=s.probes[1:]) for s in program.segments]
    cut = replace(program, segments=tuple(segments))
    monkeypatch.setattr(agreement, "compile_graph", lambda *_: cut)
    assert "emulator: pixels is not shown" in disagreements(graph, machine, image)


@pytest.mark.parametrize("part", few(range(PARTS), 2))
def test_random_graphs_agree_or_are_refused_by_name(part: int) -> None:
    refused = [play(seed) for seed in range(part, GRAPHS, PARTS)]
    assert refused.count(None) > len(refused) // 3
    assert refused.count(None) < len(refused)
