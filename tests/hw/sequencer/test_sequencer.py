"""The sequencer against the emulator's timing: every instruction begins and ends in the same cycle."""

from __future__ import annotations

from typing import Any

from amaranth.sim import Simulator
from hypothesis import given, settings

from intarsia.arch.duration import cycles
from intarsia.arch.isa import Unit, decode, encode
from intarsia.arch.program import Program
from intarsia.arch.timing import simulate_program
from intarsia.hw.sequencer.sequencer import Sequencer
from tests.arch.programs import programs
from tests.hw.controlled import descriptors
from tests.hw.loading import load

DEPTH, SEGMENTS = 64, 4
Spans = list[list[tuple[int, int]]]


class Bench:
    """A simulated sequencer with units that only take time; every program begins from its reset."""

    def __init__(self) -> None:
        self.dut = Sequencer(depth=DEPTH, segments=SEGMENTS, width=8)
        self.ran = False
        self.simulator = Simulator(self.dut)
        self.simulator.add_clock(1e-8)
        self.simulator.add_testbench(self._bench)

    def run(self, program: Program) -> tuple[Spans, int]:
        """Start and end of every instruction by unit, and the cycles in all."""
        self.program = program
        if self.ran:
            self.simulator.reset()
        self.ran = True
        self.simulator.run()
        return self.spans, self.total

    async def _bench(self, ctx: Any) -> None:
        dut, program = self.dut, self.program
        spans: Spans = [[] for _ in Unit]
        self.spans = spans
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
                    left[unit] = cycles(decode(word.to_bytes(32, "little")), program.machine)
                    spans[unit].append((now, now + left[unit]))
                ctx.set(dut.unit[unit].finishing, left[unit] == 1)
                left[unit] = max(left[unit] - 1, 0)
            assert ctx.get(dut.error) == 0
            assert now < 20000
            await ctx.tick()
            now += 1
        self.total = now


def test_equals_the_emulator_to_the_cycle() -> None:
    bench = Bench()

    @given(programs(rows=8, size=200, repeat=4))
    @settings(max_examples=12, deadline=None)
    def equal(program: Program) -> None:
        timeline = simulate_program(program)
        spans, total = bench.run(program)
        assert total == timeline.cycles
        for unit in timeline.units:
            assert spans[unit.unit] == list(zip(unit.start.tolist(), unit.end.tolist(), strict=True))

    equal()
