# amaranth: UnusedElaboratable=no

"""hw.requantize against model.integer.arithmetic.requantize, beat by beat and cycle by cycle."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal, Value
from amaranth.sim import Simulator

from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.units.requantize.core import RequantizeLane, Requantizer
from intarsia.model.integer.arithmetic import requantize, rshift_rhe
from intarsia.sim.payload import Payload
from intarsia.sim.units.requantize.bench import RequantizeBench
from tests.hw.driver import play


@pytest.mark.parametrize("lanes, multiplier_bits", [(1, 32), (8, 16), (8, 32), (32, 32)])
def test_directed(lanes, multiplier_bits):
    core = Requantizer(lanes=lanes, multiplier_bits=multiplier_bits)
    transactions = RequantizeBench(core).directed(np.random.default_rng(1))
    if lanes in (1, 32):
        transactions = islice(transactions, 0, None, 9)
    play(Unit(core), transactions)


@pytest.mark.parametrize("lanes, multiplier_bits", [(4, 16), (4, 32)])
def test_random_with_gaps(lanes, multiplier_bits):
    core = Requantizer(lanes=lanes, multiplier_bits=multiplier_bits)
    rng = np.random.default_rng(2)
    play(Unit(core), islice(RequantizeBench(core).random(rng), 30), rng)


@pytest.mark.parametrize("multiplier_bits", [16, 32])
def test_directed_hits_every_bin(multiplier_bits):
    bench = RequantizeBench(Requantizer(lanes=8, multiplier_bits=multiplier_bits))
    transactions = list(bench.directed(np.random.default_rng(3)))
    assert set().union(*(t.bins for t in transactions)) == set(bench.BINS)


def test_the_exhaustive_part_holds_every_tie():
    core = Requantizer(lanes=16, multiplier_bits=16)
    seen = {(c, wide): set() for c in range(1, 21) for wide in (0, 1)}
    for transaction in RequantizeBench(core).exhaustive():
        command = transaction.inputs["command"]
        b, c, wide = int(command["b"][0, 0]), int(command["c"][0, 0]), int(command["wide"][0])
        p = transaction.inputs["i"][""] * b
        assert (p & (1 << c) - 1 == 1 << c - 1).all()
        assert len(p) <= 65535
        seen[c, wide] |= set((p >> c).flat)
    assert all(floors >= set(range(-(2**15) - 1, 2**15)) for floors in seen.values())


def test_commands_follow_each_other_without_a_gap():
    core = Requantizer(lanes=2, multiplier_bits=32)
    transactions = list(islice(RequantizeBench(core).random(np.random.default_rng(4)), 12))
    commands, rows, expected = ([] for _ in range(3))
    for t in transactions:
        commands += Payload.of(core.command_shape).pack(t.inputs["command"])
        rows += Payload.of(core.input_shapes["i"]).pack(t.inputs["i"])
        expected += Payload.of(core.result_shape).pack(t.output)
    unit = Unit(core)
    left = []

    def offer(stream, beats):
        async def bench(ctx):
            for beat in beats:
                ctx.set(Value.cast(stream.payload), beat)
                ctx.set(stream.valid, 1)
                await ctx.tick().until(stream.ready)
            ctx.set(stream.valid, 0)

        return bench

    async def take(ctx):
        ctx.set(unit.o.ready, 1)
        async for _, _, valid, beat in ctx.tick().sample(unit.o.valid, Value.cast(unit.o.payload)):
            left.append(beat if valid else None)
            if len(left) == len(expected) + 40:
                break

    simulator = Simulator(unit)
    simulator.add_clock(1e-8)
    simulator.add_testbench(offer(unit.command, commands))
    simulator.add_testbench(offer(unit.i, rows))
    simulator.add_testbench(take)
    simulator.run()
    first = next(k for k, beat in enumerate(left) if beat is not None)
    assert left[first : first + len(expected)] == expected


def test_after_a_reset_nothing_stale_leaves():
    core = Requantizer(lanes=2, multiplier_bits=16)
    unit, reset, m = Unit(core), Signal(), Module()
    m.submodules.unit = ResetInserter(reset)(unit)
    t = next(t for t in RequantizeBench(core).random(np.random.default_rng(5)) if len(t.output[""]) > 20)
    command = Payload.of(core.command_shape).pack(t.inputs["command"])[0]
    rows = Payload.of(core.input_shapes["i"]).pack(t.inputs["i"])

    async def bench(ctx):
        for cycles in range(1, 25):
            ctx.set(Value.cast(unit.command.payload), command)
            ctx.set(Value.cast(unit.i.payload), rows[0])
            for valid in (unit.command.valid, unit.i.valid):
                ctx.set(valid, 1)
            ctx.set(unit.o.ready, cycles % 2)
            await ctx.tick().repeat(cycles)
            for valid in (unit.command.valid, unit.i.valid):
                ctx.set(valid, 0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            ctx.set(unit.o.ready, 1)
            for _ in range(15):
                assert not ctx.get(unit.o.valid)
                await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("x_bits, b_bits, offset_bits", [(16, 32, 0), (31, 32, 64), (48, 16, 0), (8, 8, 0)])
def test_a_lane_of_other_widths(x_bits, b_bits, offset_bits):
    lane = RequantizeLane(x_bits=x_bits, b_bits=b_bits, offset_bits=offset_bits)
    rng = np.random.default_rng(x_bits)
    count = 1500

    def operand(bits: int) -> np.ndarray:
        ends = rng.choice([-1 << bits - 1, (1 << bits - 1) - 1], count)
        values = rng.integers(-1 << bits - 1, 1 << bits - 1, count) >> rng.integers(0, bits, count)
        return np.where(rng.random(count) < 0.1, ends, values)

    x, b = operand(x_bits), operand(b_bits)
    offset = operand(offset_bits) >> 1 if offset_bits else np.zeros(count, np.int64)
    c, wide = rng.integers(0, 64, count), rng.integers(0, 2, count)
    c[::2] %= 20
    if offset_bits:
        offset[::3] = ((2 * rng.integers(-40, 40, count) + 1 << np.maximum(c - 1, 0)) - x * b)[::3]
    q = rshift_rhe(x * b + offset, c)
    expected = np.where(
        wide, requantize(np.clip(q, -40000, 40000), 1, 0, out_bits=16), np.clip(q, -128, 127)
    )

    async def bench(ctx):
        for cycle in range(count + RequantizeLane.LATENCY):
            if cycle < count:
                for port, values in (("x", x), ("b", b), ("c", c), ("wide", wide), ("offset", offset)):
                    if port != "offset" or offset_bits:
                        ctx.set(getattr(lane, port), int(values[cycle]))
            if cycle >= RequantizeLane.LATENCY:
                assert ctx.get(lane.o) == expected[cycle - RequantizeLane.LATENCY]
            await ctx.tick()

    simulator = Simulator(lane)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"lanes": 3, "multiplier_bits": 16}, "lanes must be a power of two in 1..256, not 3"),
        ({"lanes": 4, "multiplier_bits": 24}, "multiplier_bits must be 16 or 32, not 24"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Requantizer(**arguments)
