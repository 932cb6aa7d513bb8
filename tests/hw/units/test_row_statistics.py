# amaranth: UnusedElaboratable=no

"""hw.row_statistics against the reference, at the shortest distance of rows and beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.arch.duration import ROOT
from intarsia.hw.units.layernorm.statistics import I31, MAX_LENGTH, RowStatistics
from intarsia.model.integer.arithmetic import isqrt

LOW, HIGH = -(2**15), 2**15 - 1


def expected(row):
    mu = int(np.rint(row.sum() / len(row)))  # exact: what is no tie is 2^-13 or more beside one
    s = max(int(isqrt(((row - mu) ** 2).sum())), 1)
    return mu, I31 // s


def check(rows, gap=ROOT):
    """Rows of one length, a start every `gap` cycles: mean and reciprocal whenever they must be there."""
    unit = RowStatistics()
    wanted = [expected(row) for row in rows]

    async def bench(ctx):
        ctx.set(unit.length, rows.shape[1])
        for cycle in range((len(rows) - 1) * gap + unit.latency + gap):
            k, phase = divmod(cycle, gap)
            ctx.set(unit.start, phase == 0 and k < len(rows))
            if phase == 0 and k < len(rows):
                ctx.set(unit.total, int(rows[k].sum()))
            if phase == 1 and k < len(rows):
                ctx.set(unit.squares, int((rows[k] ** 2).sum()))
            k, phase = divmod(cycle - unit.latency + unit.READ_AHEAD, gap)
            assert ctx.get(unit.soon) == (phase == 0 and 0 <= k < len(rows)), cycle
            k = (cycle - unit.latency + 1) // gap
            if 0 <= k < len(rows):
                assert ctx.get(unit.mean) == wanted[k][0], rows[k]
            k = (cycle - unit.latency) // gap
            if 0 <= k < len(rows):
                assert ctx.get(unit.reciprocal) == wanted[k][1], rows[k]
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 192])
def test_random_rows(length):
    rng = np.random.default_rng(length)
    spread = rng.choice([1, 2, 30, 1000, HIGH], (30, 1))
    offset = rng.choice([0, -1, 17, -20000, HIGH], (30, 1))
    check(np.clip(rng.integers(-spread - 1, spread + 1, (30, length)) + offset, LOW, HIGH))


@pytest.mark.parametrize("gap", [ROOT, ROOT + 1, 2 * ROOT, 100])
def test_rows_of_the_largest_length(gap):
    half = np.where(np.arange(MAX_LENGTH) % 2, HIGH, LOW)
    rows = np.stack([np.full(MAX_LENGTH, LOW), half, np.full(MAX_LENGTH, HIGH), -1 - half, half // 3])
    check(rows, gap)


def test_ties_of_the_mean_go_to_the_even_neighbour():
    sums = np.arange(-40, 40)
    check(np.stack([sums, np.zeros_like(sums), sums // 2, -(sums // 2)], axis=1))


def test_every_small_variance():
    k = np.arange(60)
    check(np.stack([np.minimum(k, 5), -np.minimum(k, 5), k // 4, -(k // 4), k % 4, -(k % 4)], axis=1))
