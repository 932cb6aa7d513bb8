# amaranth: UnusedElaboratable=no

"""hw.layernorm against the reference, beat by beat and cycle by cycle."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal, Value
from amaranth.sim import Simulator

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.layernorm.core import Layernorm
from intarsia.sim.payload import Payload
from intarsia.sim.units.layernorm import LayernormBench
from tests.hw.driver import play


def test_directed():
    core = Layernorm(lanes=4, max_length=32)
    play(Unit(core), LayernormBench(core).directed(np.random.default_rng(1)))


@pytest.mark.parametrize(("lanes", "max_length", "count"), [(1, 100, 12), (2, 512, 10), (16, 512, 3)])
def test_random_in_exact_cycles(lanes, max_length, count):
    core = Layernorm(lanes=lanes, max_length=max_length)
    play(Unit(core), islice(LayernormBench(core).random(np.random.default_rng(2)), count))


def test_random_with_gaps():
    core = Layernorm(lanes=2, max_length=128)
    rng = np.random.default_rng(3)
    play(Unit(core), islice(LayernormBench(core).random(rng), 14), rng)


def test_largest_sums():
    core = Layernorm(lanes=4, max_length=4096)
    longest = (t for t in LayernormBench(core).directed(np.random.default_rng(4)) if t.name == "largest v")
    play(Unit(core), longest)


@pytest.mark.parametrize("lanes", [2, 16, 64])
def test_directed_hits_every_bin(lanes):
    bench = LayernormBench(Layernorm(lanes=lanes))
    transactions = list(bench.directed(np.random.default_rng(5)))
    assert set().union(*(t.bins for t in transactions)) == set(bench.BINS)


def test_reset_in_mid_stream_leaves_nothing_behind():
    core = Layernorm(lanes=2, max_length=64)
    unit, reset = Unit(core), Signal()
    rng = np.random.default_rng(6)
    first, second = islice(LayernormBench(core).random(rng), 2)

    async def drive(ctx, transaction, cycles):
        """Beats that leave in so many cycles."""
        shapes = {"command": core.command_shape, **core.input_shapes}
        beats = {name: Payload.of(s).pack(transaction.inputs[name]) for name, s in shapes.items()}
        left = []
        ctx.set(unit.o.ready, 1)
        for _ in range(cycles):
            for name in shapes:
                stream = getattr(unit, name)
                ctx.set(stream.valid, bool(beats[name]))
                ctx.set(Value.cast(stream.payload), beats[name][0] if beats[name] else 0)
                if beats[name] and ctx.get(stream.ready):
                    beats[name].pop(0)
            if ctx.get(unit.o.valid):
                left.append(ctx.get(Value.cast(unit.o.payload)))
            await ctx.tick()
        return left

    async def bench(ctx):
        expected = Payload.of(core.result_shape).pack(second.output)
        for cycles in range(1, first.cycles + 8, 13):
            await drive(ctx, first, cycles)
            ctx.set(reset, 1)
            await drive(ctx, first, 1)
            ctx.set(reset, 0)
            assert await drive(ctx, second, second.cycles + 20) == expected, cycles

    simulator = Simulator(ResetInserter(reset)(unit))
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": 3}, "lanes must be a power of two in 1..256, not 3"),
        ({"lanes": 512}, "lanes must be a power of two in 1..256, not 512"),
        ({"lanes": 8, "max_length": 0}, "max_length must be in 1..4096, not 0"),
        ({"lanes": 8, "max_length": 4097}, "max_length must be in 1..4096, not 4097"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Layernorm(**arguments)
