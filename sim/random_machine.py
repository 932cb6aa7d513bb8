"""Random machines, mostly at the corners of the ranges of docs/machine.md, section 1."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from intarsia.arch.machine import KEYS, Machine, Range
from intarsia.model.errors import InputError

SMALL: dict[str, int] = {
    "lanes": 16,
    "depth": 16,
    "accumulator_rows": 64,
    "shiftmax_lanes": 16,
    "layernorm_lanes": 16,
    "gelu_lanes": 32,
    "elementwise_lanes": 16,
    "row_length": 2048,
    "stationary_kib": 256,
    "memory_latency": 1000,
}
"""The most of what makes the RTL large, for machines whose simulators compile in a minute."""
CORNERS = 8
"""Machines that are tried in the RTL, each with a simulator of its own."""
CORNER = 0.6
"""How often a value is one of the ends of its range, or beside it."""
SCRATCHPAD_BYTES = 1 << 24
"""At most, of a small machine and of one to run networks on."""


def random_machine(seed: int, *, small: bool = False, runs: bool = True) -> Machine:
    """The machine of a seed: of all that the ranges allow, or a `small` one.

    runs: its scratchpad is no larger than what a run wants to hold in memory.
    """
    rng = np.random.default_rng((seed, small))
    while True:
        values: dict[str, Any] = {
            field: f"corner{seed}" if allowed is None else _value(rng, _capped(field, allowed, small))
            for _, field, allowed in KEYS
        }
        try:
            machine = Machine(**values)
        except InputError:
            continue  # values that are allowed by themselves, but not together
        if not runs or machine.scratchpad_bytes <= SCRATCHPAD_BYTES:
            return machine


def corners(count: int, *, banks: int = 0) -> dict[str, tuple[Machine, int]]:
    """By name, CORNERS small machines of at least so many banks, each with `count`."""
    seeds = (seed for seed in itertools.count() if random_machine(seed, small=True).banks >= banks)
    found = [random_machine(seed, small=True) for seed in itertools.islice(seeds, CORNERS)]
    return {machine.name: (machine, count) for machine in found}


def _capped(field: str, allowed: Range, small: bool) -> Range:
    high = min(allowed.high, SMALL.get(field, allowed.high)) if small else allowed.high
    return Range(allowed.low, high, allowed.kind)


def _value(rng: np.random.Generator, allowed: Range) -> int:
    """An end of a range, its neighbour, or anything between, by its logarithm."""
    if allowed.kind == "power of two":
        low, high = allowed.low.bit_length() - 1, allowed.high.bit_length() - 1
        return 1 << _place(rng, low, high)
    step = 2 if allowed.kind == "even" else 1
    return step * _place(rng, -(-allowed.low // step), allowed.high // step)


def _place(rng: np.random.Generator, low: int, high: int) -> int:
    if rng.random() < CORNER:
        return int(rng.choice([low, min(low + 1, high), max(high - 1, low), high]))
    return (
        min(int(np.exp(rng.uniform(np.log(max(low, 1)), np.log(high + 1)))), high)
        if low
        else int(rng.integers(low, high + 1))
    )
