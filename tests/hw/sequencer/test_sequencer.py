"""The sequencer against the emulator's timing: every instruction begins and ends in the same cycle."""

from __future__ import annotations

from typing import Any

from amaranth.sim import Simulator
from hypothesis import given, settings

from intarsia.arch.duration import cycles
from intarsia.arch.isa import Unit, decode, encode
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.arch.timing import simulate_program
from intarsia.hw.sequencer.sequencer import Sequencer
from tests.arch.programs import programs
from tests.hw.controlled import descriptors
from tests.hw.loading import load

DEPTH, SEGMENTS = 64, 4
Spans = list[list[tuple[int, int]]]


def run(program: Program) -> tuple[Spans, int]:
    """Start and end of every instruction by unit, and the cycles in all, with units that only take time."""
    dut = Sequencer(depth=DEPTH, segments=SEGMENTS, width=8)
    machine: Machine = program.machine
    spans: Spans = [[] for _ in Unit]
    total = 0

    async def bench(ctx: Any) -> None:
        nonlocal total
        queues = ([i for segment in program.segments for i in segment.queues[unit]] for unit in Unit)
        memories = [[int.from_bytes(encode(i), "little") for i in queue] for queue in queues]
        await load(ctx, dut, memories, descriptors(program))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        left = [0] * len(Unit)
        now = 0
        while ctx.get(dut.running):
            for unit in Unit:
                if ctx.get(dut.unit[unit].start):
                    assert left[unit] == 0
                    word = ctx.get(dut.unit[unit].instruction)
                    left[unit] = cycles(decode(word.to_bytes(32, "little")), machine)
                    spans[unit].append((now, now + left[unit]))
                ctx.set(dut.unit[unit].finishing, left[unit] == 1)
                left[unit] = max(left[unit] - 1, 0)
            assert ctx.get(dut.error) == 0
            assert now < 20000
            await ctx.tick()
            now += 1
        total = now

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return spans, total


@given(programs(rows=8, size=200, repeat=4))
@settings(max_examples=12, deadline=None)
def test_equals_the_emulator_to_the_cycle(program: Program) -> None:
    timeline = simulate_program(program)
    spans, total = run(program)
    assert total == timeline.cycles
    for unit in timeline.units:
        assert spans[unit.unit] == list(zip(unit.start.tolist(), unit.end.tolist(), strict=True))
