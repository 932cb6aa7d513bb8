# amaranth: UnusedElaboratable=no
"""Addresses of nested loops against Python's."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.hw.lib.nest import Nest

COUNTS = [(1, 1, 1), (4, 1, 1), (1, 3, 1), (1, 1, 2), (3, 4, 2), (2, 1, 5)]


def walk(nest: Nest, origin: int, steps: list[int], counts: tuple[int, ...], rng: Any) -> list[Any]:
    """What the nest shows, gone through with random pauses."""
    found: list[Any] = []

    async def bench(ctx: Any) -> None:
        for _ in range(2):  # the second time without a reset
            found.clear()
            ctx.set(nest.origin, origin)
            for level, (step, count) in enumerate(zip(steps, counts, strict=True)):
                ctx.set(nest.step[level], step)
                ctx.set(getattr(nest, f"count{level}"), count)
            ctx.set(nest.start, 1)
            await ctx.tick()
            ctx.set(nest.start, 0)
            while ctx.get(nest.valid):
                go = bool(rng.integers(2))
                ctx.set(nest.next, go)
                index = tuple(ctx.get(getattr(nest, f"index{k}")) for k in range(len(counts)))
                place = ctx.get(nest.address), ctx.get(nest.beyond)
                if go:
                    found.append((*place, index, ctx.get(nest.first), ctx.get(nest.last)))
                await ctx.tick()

    simulator = Simulator(nest)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("high", [False, True])
def test_walks_as_nested_loops_do(counts: tuple[int, ...], high: bool) -> None:
    rng = np.random.default_rng(sum(counts))
    steps = [int(s) for s in rng.integers(0, 1 << (30 if high else 12), 3)]
    origin = int(rng.integers(0, 1 << (33 if high else 31)))
    expected = []
    for backwards in product(*(range(count) for count in reversed(counts))):
        index = backwards[::-1]
        address = origin + sum(i * s for i, s in zip(index, steps, strict=True))
        first = sum((i == 0) << k for k, i in enumerate(index))
        last = sum((i == c - 1) << k for k, (i, c) in enumerate(zip(index, counts, strict=True)))
        expected.append((address % (1 << 32), address >= 1 << 32, index, first, last))
    assert walk(Nest(count_bits=(8, 4, 3)), origin, steps, counts, rng) == expected
