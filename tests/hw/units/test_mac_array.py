# amaranth: UnusedElaboratable=no
"""hw.mac_array against matrix products, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.sim import Simulator

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.mac_array.core import MacArray
from intarsia.sim.payload import Payload
from intarsia.sim.units.mac_array.bench import MacArrayBench
from tests.hw.driver import play

ROWS = 18


@pytest.mark.parametrize(("lanes", "depth"), [(4, 4), (4, 8), (16, 4)])
def test_directed(lanes, depth):
    core = MacArray(lanes=lanes, depth=depth, accumulator_rows=ROWS)
    short = [t for t in MacArrayBench(core).directed(np.random.default_rng(1)) if t.cycles < 75]
    assert len(short) > 20
    play(Unit(core), short)


def test_accumulators_wrap():
    core = MacArray(lanes=4, depth=16, accumulator_rows=16)
    wrapping = [t for t in MacArrayBench(core).directed(np.random.default_rng(2)) if "wrap" in t.name]
    assert {b for t in wrapping for b in t.bins} >= {"accumulator wraps above", "accumulator wraps below"}
    play(Unit(core), wrapping)


@pytest.mark.parametrize(("lanes", "depth"), [(8, 4), (4, 16), (8, 8), (4, 32)])
def test_random(lanes, depth):
    core = MacArray(lanes=lanes, depth=depth, accumulator_rows=ROWS)
    transactions = MacArrayBench(core).random(np.random.default_rng(3))
    play(Unit(core), islice((t for t in transactions if t.cycles < 150), 6))


@pytest.mark.parametrize(("lanes", "depth"), [(4, 4), (8, 4), (4, 8)])
def test_random_with_gaps(lanes, depth):
    core = MacArray(lanes=lanes, depth=depth, accumulator_rows=ROWS)
    rng = np.random.default_rng(4)
    play(Unit(core), islice((t for t in MacArrayBench(core).random(rng) if t.cycles < 150), 12), rng)


class Harness:
    """A unit whose domain can be reset, and the beats of one transaction for it."""

    def __init__(self, name):
        self.core = MacArray(lanes=4, depth=4, accumulator_rows=16)
        self.unit = Unit(self.core)
        bench = MacArrayBench(self.core)
        self.transaction = next(t for t in bench.directed(np.random.default_rng(5)) if name in t.name)
        shapes = {"command": self.core.command_shape, **self.core.input_shapes}
        self.beats = {
            name: Payload.of(shape).pack(self.transaction.inputs[name]) for name, shape in shapes.items()
        }
        self.domain = ClockDomain("sync")

    def offer(self, ctx, at):
        """Offer the next beat of every input, and count in `at` those that are taken in this cycle."""
        for name, beats in self.beats.items():
            stream = getattr(self.unit, name)
            more = at[name] < len(beats)
            ctx.set(Value.cast(stream.payload), beats[at[name]] if more else 0)
            ctx.set(stream.valid, more)
            at[name] += more and ctx.get(stream.ready)

    def run(self, testbench):
        m = Module()
        m.domains.sync = self.domain
        m.submodules.unit = self.unit
        simulator = Simulator(m)
        simulator.add_clock(1e-8)
        simulator.add_testbench(testbench)
        simulator.run()


@pytest.mark.parametrize("after", [3, 9, 14, 22, 27, 31])
def test_reset_in_mid_stream(after):
    """Whatever was under way, nothing of it leaves, and the next command finds the array as new."""
    harness = Harness("4 rows, 2 tiles, 2 outputs")
    unit, expected = harness.unit, harness.transaction.output[""].tolist()

    async def testbench(ctx):
        at = dict.fromkeys(harness.beats, 0)
        for _ in range(after):  # `o.ready` is low: what is under way stays inside
            harness.offer(ctx, at)
            await ctx.tick()
        ctx.set(harness.domain.rst, 1)
        await ctx.tick()
        ctx.set(harness.domain.rst, 0)
        ctx.set(unit.o.ready, 1)
        at = dict.fromkeys(harness.beats, 0)
        left = []
        while len(left) < len(expected):
            harness.offer(ctx, at)
            if ctx.get(unit.o.valid):
                left.append([ctx.get(lane) for lane in unit.o.payload])
            await ctx.tick()
        assert left == expected

    harness.run(testbench)


def test_idle_with_the_last_result_and_not_before():
    harness = Harness("4 rows, 2 tiles, 2 outputs")
    core = harness.core

    async def testbench(ctx):
        at = dict.fromkeys(harness.beats, 0)
        ctx.set(harness.unit.o.ready, 1)
        results = 0
        while results < len(harness.transaction.output[""]):
            harness.offer(ctx, at)
            results += ctx.get(core.result_valid)
            idle = ctx.get(core.idle)
            if at["x"] > 2:  # more than the buffer holds: the array has begun
                assert idle == (results == len(harness.transaction.output[""]))
            await ctx.tick()

    harness.run(testbench)


@pytest.mark.parametrize(("lanes", "depth", "rows"), [(4, 4, 16), (16, 4, 16), (32, 32, 288)])
def test_directed_hits_every_bin(lanes, depth, rows):
    bench = MacArrayBench(MacArray(lanes=lanes, depth=depth, accumulator_rows=rows))
    transactions = list(bench.directed(np.random.default_rng(5)))
    assert set().union(*(t.bins for t in transactions)) == set(bench.BINS)


@pytest.mark.parametrize("size", [0, 2, 12, 512, -8])
@pytest.mark.parametrize("name", ["lanes", "depth"])
def test_sizes_that_are_no_power_of_two_are_refused(name, size):
    sizes = {"lanes": 4, "depth": 4, name: size}
    with pytest.raises(ValueError, match=f"{name} must be a power of two in 4..256, not {size}"):
        MacArray(**sizes, accumulator_rows=16)


@pytest.mark.parametrize("rows", [15, 8193])
def test_accumulator_rows_out_of_range_are_refused(rows):
    with pytest.raises(ValueError, match=f"accumulator_rows must be in 16..8192, not {rows}"):
        MacArray(lanes=4, depth=4, accumulator_rows=rows)
