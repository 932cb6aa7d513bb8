"""Random machines are legal, reach the ends of all ranges, can be built, and run networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from intarsia.arch.machine import KEYS
from intarsia.sim.random_machine import SCRATCHPAD_BYTES, SMALL, corners, random_machine
from tests.slow import few
from tools.random_machines import build, emulate

SEEDS = 300


def test_both_ends_of_every_range_are_reached() -> None:
    machines = [random_machine(seed, runs=False) for seed in range(SEEDS)]
    for _, field, allowed in KEYS:
        if allowed is not None:
            seen = {getattr(machine, field) for machine in machines}
            assert {allowed.low, allowed.high} <= seen, field


def test_small_machines_are_small() -> None:
    for seed in range(SEEDS):
        machine = random_machine(seed, small=True)
        assert machine.scratchpad_bytes <= SCRATCHPAD_BYTES
        assert all(getattr(machine, field) <= high for field, high in SMALL.items())


def test_a_seed_is_a_machine() -> None:
    assert random_machine(5) == random_machine(5)
    named = corners(7, banks=14)
    assert all(machine.banks >= 14 and machine.name == name for name, (machine, _) in named.items())
    assert {count for _, count in named.values()} == {7}


@pytest.mark.parametrize("seed", few(range(12), 2))
def test_the_rtl_can_be_built(seed: int) -> None:
    build(random_machine(seed, runs=False))


@pytest.mark.slow
def test_the_widest_machine_can_be_built() -> None:
    highest: dict[str, Any] = {field: allowed.high for _, field, allowed in KEYS if allowed is not None}
    build(dataclasses.replace(random_machine(0), **highest))


@pytest.mark.parametrize("seed", [4, 6])
def test_a_network_on_a_machine_at_the_corners(seed: int) -> None:
    values, problems = emulate(random_machine(seed), seed)
    assert problems == []
    assert values > 0
