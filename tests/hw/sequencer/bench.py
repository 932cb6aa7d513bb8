"""The sequencer, beside a model of it in every cycle; programs for both, at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.sim import Simulator

from intarsia.arch.isa import Unit
from intarsia.hw.sequencer.sequencer import ERROR_LATENCY, Sequencer
from tests.hw.loading import load
from tests.hw.sequencer_model import Cycle, Descriptor, Model, code_of
from tests.hw.sizes import DEPTH, SEGMENTS

BASED = (Unit.LOAD, Unit.STORE)
MOST = 400
"""Cycles of a program: it may wait forever."""


def wait(unit: int, n: int) -> int:
    return 1 | unit << 32 | (n & 0xFFFFFFFF) << 64


class Bench:
    """Loads programs and holds every cycle against the model's."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.dut = Sequencer(depth=DEPTH, segments=SEGMENTS, width=8)
        self.ended = 0
        self.often_wrong = 0.0
        """How likely something is wrong in a cycle that the words of instructions do not say."""

    async def load(self, ctx: Any, memories: list[list[int]], segments: list[Descriptor]) -> None:
        await load(ctx, self.dut, memories, [segment.words() for segment in segments])

    def shown(self, ctx: Any, like: Cycle) -> Cycle:
        """What the sequencer shows; instructions and bases where one is held."""
        dut = self.dut
        assert ctx.get(dut.error) == 0
        start = sum(ctx.get(dut.unit[unit].start) << unit for unit in Unit)
        legal = [unit for unit in like.words if code_of(like.words[unit], unit) == 0]
        words = {unit: ctx.get(dut.unit[unit].instruction) for unit in legal}
        like.words = {unit: like.words[unit] for unit in legal}
        like.bases = {unit: like.bases[unit] for unit in like.bases if unit in BASED}
        bases = {unit: ctx.get(dut.unit[unit].base) for unit in like.bases}
        # With an error, whether it would have been the last cycle is nobody's business.
        finished = ctx.get(dut.finished) if like.error == (0,) else like.finished
        return Cycle(ctx.get(dut.busy), ctx.get(dut.waiting), start, words, bases, finished, like.error)

    async def run(self, ctx: Any, memories: list[list[int]], segments: list[Descriptor]) -> Cycle:
        """Runs a program to its end, to an error or for so many cycles; the last cycle."""
        await ctx.tick()  # as there always is between two programs
        assert ctx.get(self.dut.idle) and not ctx.get(self.dut.running)
        ctx.set(self.dut.start, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)
        return await self.follow(ctx, Model(memories, segments))

    async def follow(self, ctx: Any, model: Model) -> Cycle:
        """From the program's first cycle on."""
        dut, last = self.dut, Cycle()
        eager = self.rng.integers(1, 9, len(Unit))
        for _ in range(MOST):
            if not model.running:
                break
            ends = (model.works(unit) and self.rng.integers(8) < eager[unit] for unit in Unit)
            finishing = sum(int(end) << unit for unit, end in enumerate(ends))
            for unit in Unit:
                ctx.set(dut.unit[unit].finishing, finishing >> unit & 1)
            errors, expired = self.trouble(model)
            for unit in Unit:
                ctx.set(dut.unit[unit].error, errors.get(unit, 0))
            ctx.set(dut.expired, expired)
            last = model.cycle(finishing, errors, expired)
            assert ctx.get(dut.running) and not ctx.get(dut.idle)
            assert self.shown(ctx, last) == last
            await ctx.tick()
            ctx.set(dut.expired, 0)
            for unit in errors:
                ctx.set(dut.unit[unit].error, 0)
            if last.error != (0,):
                await self.stops(ctx, last)
        self.ended += not model.running
        if model.running:  # a reset of the machine, as far as it goes here
            ctx.set(dut.expired, 1)
            await ctx.tick()
            ctx.set(dut.expired, 0)
            for _ in range(2 * ERROR_LATENCY):
                await ctx.tick()
        elif last.error == (0,):
            for _ in range(ERROR_LATENCY):
                assert ctx.get(dut.error) == 0 and not ctx.get(dut.idle)
                await ctx.tick()
        assert not ctx.get(dut.running) and not ctx.get(dut.finished) and ctx.get(dut.idle)
        return last

    def trouble(self, model: Model) -> tuple[dict[Unit, int], bool]:
        """Now and then, if it is wanted: units that say what is wrong, the watchdog, or both."""
        if self.rng.random() >= self.often_wrong:
            return {}, False
        codes = {unit: int(self.rng.integers(1, 256)) for unit in Unit if model.works(unit)}
        expired = bool(self.rng.random() < 0.4)
        return {unit: code for unit, code in codes.items() if self.rng.random() < 0.4}, expired

    async def stops(self, ctx: Any, last: Cycle) -> None:
        """The error is told, once, and nothing runs any more."""
        dut = self.dut
        for unit in Unit:
            ctx.set(dut.unit[unit].finishing, 0)
        for _ in range(ERROR_LATENCY - 1):
            assert ctx.get(dut.error) == 0
            await ctx.tick()
        places = (dut.error_unit, dut.error_segment, dut.error_iteration, dut.error_index)
        assert (ctx.get(dut.error), *(ctx.get(place) for place in places)) == last.error
        assert not ctx.get(dut.idle)
        # Units that are stopped in the middle need their instruction until they are quiet.
        held = [dut.unit[unit] for unit in Unit if ctx.get(dut.busy) >> unit & 1]
        needed = [(ctx.get(port.instruction), ctx.get(port.base)) for port in held]
        await ctx.tick()
        for _ in range(2 * ERROR_LATENCY):
            assert ctx.get(dut.error) == 0 and not ctx.get(dut.running)
            assert not any(ctx.get(port.start) for port in dut.unit)
            assert [(ctx.get(port.instruction), ctx.get(port.base)) for port in held] == needed
            await ctx.tick()
        assert ctx.get(dut.idle)

    def simulate(self, body: Any) -> None:
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-8)
        simulator.add_testbench(body)
        simulator.run()


def random_segments(rng: np.random.Generator, memories: list[list[int]], true: bool) -> list[Descriptor]:
    """Segments of any part of the memories; totals that are true, or anything."""
    found = []
    for _ in range(rng.integers(1, SEGMENTS + 1)):
        first, length, totals = [], [], []
        for unit in Unit:
            begin, end = sorted(int(k) for k in rng.integers(0, DEPTH + 1, 2))
            first.append(begin % DEPTH)
            length.append(min(end - begin, int(rng.integers(8))))
            part = memories[unit][begin : begin + length[-1]]
            held = sum(word & 0xFF != 1 for word in part)
            totals.append(held if true else int(rng.choice([held, int(rng.integers(1 << 16)), 65535])))
        base, step = (int(k) for k in rng.integers(0, 1 << 32, 2))
        found.append(Descriptor(base, step, int(rng.integers(1, 6)), first, length, totals))
    return found


def random_wait(rng: np.random.Generator) -> int:
    """One that is often met: some iterations back, of totals of any size."""
    near = int(rng.integers(-4, 3))
    far = -int(rng.integers(5)) * int(rng.choice([65535, 1 << 16, int(rng.integers(1 << 17))]))
    return wait(int(rng.integers(len(Unit))), int(rng.choice([near, near, near + far, -(2**31)])))
