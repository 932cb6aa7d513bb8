"""Random transfers, and what they do, in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Load, Space, Store
from intarsia.arch.machine import Machine
from tests.arch.machines import MACHINE

DRAM, CHIP = 1 << 15, 1 << 14
ORIGIN = (1 << 32) - DRAM
"""Of the DRAM that is simulated: its end is that of all addresses."""


def machine(width: int, lanes: int, latency: int) -> Machine:
    """One whose bus has `width` bytes, W = 2 * lanes."""
    return replace(MACHINE, memory_width=width, lanes=lanes, depth=lanes, memory_latency=latency)


def random_transfer(rng: np.random.Generator, kind: type, width: int) -> Any:
    """Any size, alignment and stride; all of it inside the memories."""
    while True:
        size = int(rng.integers(1, [2, 20, 5 * width + 2, min(1500, 300 * width)][rng.integers(4)]))
        counts = [int(rng.integers(1, 5)) if size < 300 else 1 for _ in range(2)]
        strides = [int(rng.integers(0, 2 * size + 40)) for _ in range(4)]
        places = [int(rng.integers(0, limit)) for limit in (DRAM, CHIP)]
        if rng.random() < 0.3:
            places[0] = DRAM - size - sum((n - 1) * s for n, s in zip(counts, strides[:2], strict=True))
        if rng.random() < 0.2:
            places[1] = 0
        ends = [
            place + sum((n - 1) * s for n, s in zip(counts, pair, strict=True)) + size
            for place, pair in zip(places, (strides[:2], strides[2:]), strict=True)
        ]
        if places[0] < 0 or ends[0] > DRAM or ends[1] > CHIP:
            continue
        based = bool(rng.integers(2))
        fields: dict[str, Any] = {
            "dram": places[0] + (0 if based else ORIGIN),
            "address": places[1],
            "size": size,
            "count1": counts[0],
            "count2": counts[1],
            "dram_stride1": strides[0],
            "dram_stride2": strides[1],
            "stride1": strides[2],
            "stride2": strides[3],
            "based": based,
        }
        return Store(**fields) if kind is Store else Load(space=Space(int(rng.integers(1, 6))), **fields)


def apply(one: Load | Store, dram: NDArray[np.uint8], chip: NDArray[np.uint8]) -> None:
    """Moves the bytes, piece by piece."""
    start = one.dram - (0 if one.based else ORIGIN)
    for i2 in range(one.count2):
        for i1 in range(one.count1):
            a = start + i1 * one.dram_stride1 + i2 * one.dram_stride2
            s = one.address + i1 * one.stride1 + i2 * one.stride2
            if isinstance(one, Load):
                chip[s : s + one.size] = dram[a : a + one.size]
            else:
                dram[a : a + one.size] = chip[s : s + one.size]
