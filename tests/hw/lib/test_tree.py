# amaranth: UnusedElaboratable=no
"""hw.tree against NumPy: every number of leaves, the latency, one reduction per cycle."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator

from intarsia.hw.lib.tree import TREE_STAGES, Tree, add, maximum

LEAVES = [1, 2, 4, 8, 16, 32, 64, 128, 256]


def _roots(tree, rows):
    """What stands at the root TREE_STAGES cycles after each row was at the leaves, in turn."""
    roots = []

    async def bench(ctx):
        for cycle in range(len(rows) + TREE_STAGES):
            if cycle < len(rows):
                for leaf, value in zip(tree.leaf, rows[cycle], strict=True):
                    ctx.set(leaf, int(value))
            await ctx.tick()
            if cycle >= TREE_STAGES - 1:
                roots.append(ctx.get(tree.root))

    simulator = Simulator(tree)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(roots[: len(rows)])


def _rows(leaves, low, high):
    rng = np.random.default_rng(leaves)
    rows = rng.integers(low, high + 1, (12, leaves))
    rows[0], rows[1] = low, high
    rows[2] = low
    rows[2, -1] = high
    return rows


@pytest.mark.parametrize("leaves", LEAVES)
@pytest.mark.parametrize("shape", [signed(8), unsigned(31)])
def test_sum(leaves, shape):
    low, high = (-128, 127) if shape.signed else (0, 2**31 - 1)
    rows = _rows(leaves, low, high)
    assert (_roots(Tree(leaves=leaves, shape=shape, combine=add), rows) == rows.sum(axis=1)).all()


@pytest.mark.parametrize("leaves", LEAVES)
@pytest.mark.parametrize("shape", [signed(8), unsigned(8)])
def test_maximum(leaves, shape):
    rows = _rows(leaves, *((-128, 127) if shape.signed else (0, 255)))
    assert (_roots(Tree(leaves=leaves, shape=shape, combine=maximum), rows) == rows.max(axis=1)).all()


def test_shape_of_the_root():
    trees = [Tree(leaves=32, shape=signed(8), combine=combine) for combine in (add, maximum)]
    assert [tree.root.shape() for tree in trees] == [signed(13), signed(8)]


@pytest.mark.parametrize("leaves", [0, 3, 512, -4])
def test_leaves_that_are_no_power_of_two_are_refused(leaves):
    with pytest.raises(ValueError, match=f"leaves must be a power of two in 1..256, not {leaves}"):
        Tree(leaves=leaves, shape=signed(8), combine=maximum)
