"""The cocotb test: plays jobs on a unit's streams. Runs inside the simulator's process.

Everything happens at the falling edge, where all has settled: a stream moves at the next rising edge
if `valid` and `ready` are both high. Inputs change only there, and in RTL of our own no path leads from
them to `ready`, `valid` or the output's payload, so what is read at the falling edge is what the rising
edge will see. RTL of others may have such paths: it gets time to settle.

Nothing that it does may end in silence: a bit that is neither 0 nor 1 is an error, and so is a
cycle that never ends, as in a loop of gates without a delay.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from intarsia.sim.job import Job, Phase, Report, Wrong

JOBS = "INTARSIA_JOBS"
REPORTS = "INTARSIA_REPORTS"
RESET_CYCLES = 2
STUCK = ".stuck"
"""Behind the name of the reports: a file that is not empty if the simulator was stuck."""
SECONDS = "INTARSIA_SECONDS"
"""Of real time in which ALIVE cycles must end, in the environment."""
ALIVE = 500


@cocotb.test()
async def play(dut: Any) -> None:
    jobs: list[Job] = pickle.loads(Path(os.environ[JOBS]).read_bytes())
    Clock(dut.clk, 10, unit="ns").start()
    reports = []
    with _guard() as alive:
        for job in jobs:
            player = Player(dut, job, alive)
            await player.run()
            reports.append(player.report)
    Path(os.environ[REPORTS]).write_bytes(pickle.dumps(reports))


@contextmanager
def _guard() -> Iterator[Callable[[], None]]:
    """Ends the process unless what it gives is called again and again. Where it was not, the file STUCK
    is not empty. No thread of Python's could do it: the simulator does not let it run."""
    with open(os.environ[REPORTS] + STUCK, "w") as file:

        def alive() -> None:
            faulthandler.dump_traceback_later(float(os.environ[SECONDS]), exit=True, file=file)

        alive()
        try:
            yield alive
        finally:
            faulthandler.cancel_dump_traceback_later()


class _EnoughError(Exception):
    """Enough is known: too many errors, or a unit that does not move."""


class _Source:
    """An input stream: what it still has to offer and what it offers now."""

    def __init__(self, dut: Any, name: str) -> None:
        self.name = name
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{port}") for port in ("payload", "valid", "ready")
        )
        self.beats: Iterator[int] = iter(())
        self.left = 0
        self.offered = False

    def load(self, beats: list[int]) -> None:
        self.beats, self.left = iter(beats), len(beats)
        self.withdraw()

    def withdraw(self) -> None:
        self.offered = False
        self.valid.value = 0

    def offer(self) -> None:
        self.payload.value = next(self.beats)
        self.valid.value = 1
        self.offered = True

    def take(self) -> None:
        """The beat offered now moves at the next rising edge."""
        self.left -= 1
        self.offered = False


class Player:
    def __init__(self, dut: Any, job: Job, alive: Callable[[], None]) -> None:
        self.dut, self.job, self.alive = dut, job, alive
        self.random = random.Random(job.seed)
        self.sources = [_Source(dut, name) for name in job.inputs]
        self.report = Report()
        self.phase = 0

    async def run(self) -> None:
        self.dut.o__ready.value = 0
        for name, value in self.job.constants.items():
            getattr(self.dut, name).value = value
        for source in self.sources:
            source.load([])
            source.payload.value = 0
        await self.reset()
        try:
            for index, phase in enumerate(self.job.phases):
                self.phase = index
                if phase.timed:
                    for play in phase.plays:
                        await self.stream(Phase([play], timed=True))
                else:
                    await self.stream(phase)
        except _EnoughError:
            pass

    async def reset(self) -> None:
        self.dut.rst.value = 1
        for source in self.sources:
            source.load([])
        await self.cycles(RESET_CYCLES)
        self.dut.rst.value = 0

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await FallingEdge(self.dut.clk)
            self.report.cycles += 1

    def error(self, text: str) -> None:
        if not self.report.errors:
            self.report.phase = self.phase
        self.report.errors.append(f"{text} (cycle {self.report.cycles})")
        self.stop_if_enough()

    def stop_if_enough(self) -> None:
        if len(self.report.errors) + len(self.report.wrong) >= self.job.stop_at:
            raise _EnoughError

    async def settle(self) -> None:
        """Until all has followed that follows from the inputs without the clock."""
        if not self.job.ours:
            await Timer(1, "ns")

    def read(self, signal: Any, name: str) -> int | None:
        """An output of the unit; None where a bit of it is unknown, which is an error."""
        try:
            return int(signal.value)
        except ValueError:
            self.error(f"{name} has unknown bits (x or z)")
            return None

    async def stream(self, phase: Phase) -> None:
        """Plays of one phase, until all results are there or the reset."""
        plays = [self.job.plays[k] for k in phase.plays]
        for source in self.sources:
            source.load([beat for play in plays for beat in play.inputs[source.name]])
        expected = [(k, n, beat) for k in phase.plays for n, beat in enumerate(self.job.plays[k].output)]
        report, dut, chance = self.report, self.dut, self.random.random
        began, accepted, last_move = report.cycles, report.cycles, report.cycles
        got, done, held = 0, 0, None
        while got < len(expected) or any(source.left for source in self.sources):
            await FallingEdge(dut.clk)
            report.cycles += 1
            now = report.cycles
            if now % ALIVE == 0:
                self.alive()
            if phase.reset_after is not None and now - began > phase.reset_after:
                await self.reset()
                await self.quiet()
                return
            for source in self.sources:
                if source.left and not source.offered and (phase.offer >= 1 or chance() < phase.offer):
                    source.offer()
                elif not source.offered:
                    source.valid.value = 0
            await self.settle()
            valid = self.read(dut.o__valid, "o__valid")
            ready = (phase.take >= 1 or chance() < phase.take) and bool(valid or not phase.waits)
            dut.o__ready.value = int(ready)
            await self.settle()
            if not self.job.ours:
                valid = self.read(dut.o__valid, "o__valid")
            for source in self.sources:
                if source.offered and self.read(source.ready, f"{source.name}__ready"):
                    source.take()
                    last_move = now
                    if source.name == "command":
                        accepted = now
            if valid:
                beat = self.read(dut.o__payload, "o__payload")
                if None not in (held, beat) and beat != held:
                    self.error("the payload of o changed while it waited")
                held = beat
                if ready:
                    if got == len(expected):
                        self.error("a beat more than expected left")
                    else:
                        k, n, wanted = expected[got]
                        report.beats[k] = report.beats.get(k, 0) + 1
                        if beat is not None and beat != wanted:
                            report.wrong.append(Wrong(self.phase, k, n, beat, now))
                            self.stop_if_enough()
                        got += 1
                    held, last_move, done = None, now, now
            elif held is not None:
                self.error("valid of o fell before its beat was taken")
                held = None
            if now - last_move > self.job.patience:
                self.error(
                    f"nothing moved for {self.job.patience} cycles: {got} of {len(expected)} beats left"
                )
                raise _EnoughError
        await self.quiet()
        if phase.timed and plays[0].cycles:
            self.measure(phase.plays[0], done - accepted)

    def measure(self, number: int, cycles: int) -> None:
        """A play that was timed took so many cycles from its command to its last result."""
        self.report.measured[number] = cycles
        play = self.job.plays[number]
        if self.job.ours and cycles != play.cycles:
            text = f"{play.name}: {cycles} cycles from its command to its last result, not {play.cycles}"
            self.report.late.append(f"{text} (cycle {self.report.cycles})")
            self.error(text)

    async def quiet(self) -> None:
        """Whatever leaves now, leaves without a cause."""
        self.dut.o__ready.value = 1
        for _ in range(4):
            await self.cycles(1)
            for source in self.sources:
                source.withdraw()  # not before: a last beat may just have moved
            await self.settle()
            if self.read(self.dut.o__valid, "o__valid"):
                self.error("a beat left that nothing had asked for")
