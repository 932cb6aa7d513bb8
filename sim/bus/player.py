"""The cocotb test: a host that loads and starts programs, next to a memory that stalls and fails.

Runs inside the simulator's process; host and memory are those of cocotbext-axi.
"""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp

from intarsia.hw.sequencer.control import (
    CONTROL,
    CYCLES,
    DONE,
    ERROR,
    ERROR_INDEX,
    ERROR_ITERATION,
    ERROR_SEGMENT,
    FAILED,
    PROGRAMS,
    RUNNING,
    SEGMENTS,
    STATUS,
    UNIT_COUNTERS,
    UNIT_STRIDE,
)
from intarsia.sim.bus.case import Case, Report, Run, Stop
from intarsia.sim.bus.memory import Dram
from intarsia.sim.bus.monitor import CHANNELS, FULL, LITE, RULES
from intarsia.sim.player import JOBS, REPORTS

PERIOD = 10
QUIET_CYCLES = 40
STUCK_CYCLES = 200
INTRUSION = (PROGRAMS + 28, SEGMENTS, CONTROL)
"""Writes that must be refused while a program runs."""
LONG = 1000
"""Cycles of a program that cannot be over before those writes come."""


@cocotb.test()
async def play(dut: Any) -> None:
    cases: list[Case] = pickle.loads(Path(os.environ[JOBS]).read_bytes())
    Clock(dut.clk, PERIOD, unit="ns").start()
    bench = Bench(dut)
    cocotb.start_soon(bench.pause())
    cocotb.start_soon(bench.watch())
    reports = [await bench.play(case) for case in cases]
    Path(os.environ[REPORTS]).write_bytes(pickle.dumps(reports))


class _WrongError(Exception):
    """The rest of a case would say nothing new."""


class Bench:
    """A host and a memory around the accelerator."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.random, self.report = dut, random.Random(0), Report()
        self.broken = self.bursts = self.owed = 0
        self.ran = False
        self.closed: str | None = None
        self.stalls: dict[str, Iterator[bool]] = {}
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, LITE), dut.clk, dut.rst)
        self.dram = Dram(AxiBus.from_prefix(dut, FULL), dut.clk, dut.rst)
        self.channels = dict(self.dram.channels)
        for half, names in ((self.host.write_if, ("aw", "w", "b")), (self.host.read_if, ("ar", "r"))):
            self.channels |= {f"{LITE} {name}": getattr(half, f"{name}_channel") for name in names}

    async def play(self, case: Case) -> Report:
        self.random, self.report, self.closed = random.Random(case.seed), Report(), None
        began, name = self.now(), case.name
        self.stall(case)
        try:
            await self.reset()
            for run in case.runs:
                name = f"{case.name}, {run.name}"
                await with_timeout(self.run(run), run.limit * PERIOD, "ns")
                self.report.runs += 1
        except SimTimeoutError:
            self.report.faults.append(f"{name}: no end after {run.limit} cycles: {self.state()}")
        except _WrongError as error:
            self.report.faults.append(f"{name}: {error}")
        for bit, rule in enumerate(RULES):
            if (int(self.dut.fault.value) & ~self.broken) >> bit & 1:
                self.report.faults.append(f"{name}: {rule}")
        self.broken = int(self.dut.fault.value)
        self.report.cycles = self.now() - began
        return self.report

    async def run(self, run: Run) -> None:
        self.dram.fill(run.dram)
        self.dram.faults.set(run.answers, len(run.dram))
        self.close(run.closed)
        for address, words in _blocks(run.writes):
            await self.write(address, words)
        before = int(self.dut.bursts.value)
        self.ran = False
        await self.write(CONTROL, [run.start])
        if run.reset_after is not None:
            await ClockCycles(self.dut.clk, run.reset_after)
            await self.reset_and_look()
            return
        if run.cycles > LONG and not run.stop:
            for address in INTRUSION:
                await self.write(address, [1], AxiResp.SLVERR)
        status = await self.until(lambda s: not s & RUNNING or (run.stuck and bool(s & FAILED)))
        if run.stuck:
            if not await self.comes_loose(run, status):
                return
            status = await self.until(lambda s: not s & RUNNING)
        self.expect("bursts that the memory owes when the status says done", int(self.dut.owed.value), 0)
        if not self.ran:  # stopped while it fetched
            self.bursts, self.owed = int(self.dut.bursts.value), 0
        await ClockCycles(self.dut.clk, QUIET_CYCLES)
        bursts = int(self.dut.bursts.value)
        self.expect("bursts shown after the last instruction", bursts - self.bursts, 0)
        self.report.bursts += bursts - before
        stop = await self.stop()
        self.report.in_flight += bool(stop and self.owed)
        if stop != run.stop:
            raise _WrongError(f"the end must be {run.stop or 'no error'}, not {stop or 'no error'}")
        self.expect("the status", status, FAILED if stop else DONE)
        self.compare(run)
        if not stop:
            await self.count(run)

    async def comes_loose(self, run: Run, status: int) -> bool:
        """The machine has stopped, but the memory owes; whether it has given that now, and not a reset."""
        self.expect("the status while the memory does not answer", status, RUNNING | FAILED)
        stop = await self.stop()
        if stop != run.stop:
            raise _WrongError(f"the end must be {run.stop}, not {stop or 'no error'}")
        await ClockCycles(self.dut.clk, STUCK_CYCLES)
        self.expect("the status, later", await self.read(STATUS), RUNNING | FAILED)
        await self.write(CONTROL, [1], AxiResp.SLVERR)
        if run.by_reset:
            await self.reset_and_look()
        else:
            self.mend()
        return not run.by_reset

    def compare(self, run: Run) -> None:
        """DRAM."""
        found = bytes(self.dram.bytes[: len(run.dram)])
        if run.wanted is not None and found != run.wanted:
            places = [
                k for k, (have, want) in enumerate(zip(found, run.wanted, strict=True)) if have != want
            ]
            at = places[0]
            raise _WrongError(
                f"{len(places)} bytes of DRAM are wrong, the first at {at:#x}: "
                f"{found[at]}, not {run.wanted[at]}"
            )
        for low, high in run.fixed:
            if found[low:high] != run.dram[low:high]:
                raise _WrongError(f"DRAM has changed between {low:#x} and {high:#x}")

    async def count(self, run: Run) -> None:
        """The machine's own counters."""
        cycles = await self.read(CYCLES)
        if cycles < run.cycles:
            raise _WrongError(f"{cycles} cycles, {run.cycles} is the least that it can take")
        for unit, busy in enumerate(run.busy):
            if busy is not None:
                found = await self.read(UNIT_COUNTERS + UNIT_STRIDE * unit)
                self.expect(f"cycles in which unit {unit} was busy", found, busy)

    async def stop(self) -> Stop | None:
        """The error that the registers show."""
        error = await self.read(ERROR)
        places = [await self.read(at) for at in (ERROR_SEGMENT, ERROR_ITERATION, ERROR_INDEX)]
        return Stop(error & 255, error >> 8, *places) if error else None

    async def reset(self) -> None:
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, self.random.randint(2, 8))
        self.mend()
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 1)

    async def reset_and_look(self) -> None:
        """A reset in mid-flight, of the host too; then nothing runs, nor starts before it is loaded."""
        if self.random.random() < 0.5:
            self.host.init_read(STATUS, 4)
            self.host.init_write(SEGMENTS, bytes(4))
            await ClockCycles(self.dut.clk, self.random.randint(1, 6))
        await self.reset()
        self.expect("the status after a reset", await self.read(STATUS), 0)
        await self.write(CONTROL, [1], AxiResp.SLVERR)

    def mend(self) -> None:
        self.close(None)
        self.dram.faults.mend()
        self.dram.writes.found = None

    async def until(self, over: Callable[[int], bool]) -> int:
        """Polls the status."""
        while not over(status := await self.read(STATUS)):
            await ClockCycles(self.dut.clk, self.random.randint(1, 40))
        return status

    async def write(self, address: int, words: list[int], wanted: AxiResp = AxiResp.OKAY) -> None:
        data = b"".join(word.to_bytes(4, "little") for word in words)
        found = await self.host.write(address, data)
        if found.resp != wanted:
            raise _WrongError(
                f"a write to {address:#x} is answered with {found.resp.name}, not {wanted.name}"
            )

    async def read(self, address: int) -> int:
        found = await self.host.read(address, 4)
        self.expect(f"the response to a read of {address:#x}", found.resp, AxiResp.OKAY)
        return int.from_bytes(found.data, "little")

    def expect(self, what: str, found: int, wanted: int) -> None:
        if found != wanted:
            raise _WrongError(f"{what}: {found}, not {wanted}")

    def stall(self, case: Case) -> None:
        """Lets channels pause, and the memory accept more or less ahead of what it does."""
        self.stalls = {name: self.pauses() for name in sorted(case.stalls)}
        for name, channel in self.channels.items():
            channel.pause = False
            if name.startswith(FULL):
                channel.queue_occupancy_limit = self.random.choice((1, 2, 5, -1)) if case.stalls else 2

    def pauses(self) -> Iterator[bool]:
        """In every cycle; stretches of it are quick, others slow."""
        own = random.Random(self.random.random())
        while True:
            chance = own.choice((0.0, 0.2, 0.5, 0.9, 1.0))
            for _ in range(own.randint(1, 60)):
                yield own.random() < chance

    async def watch(self) -> None:
        """For ever; what the memory port had shown, and was owed, when the units stopped."""
        while True:
            await FallingEdge(self.dut.running)
            self.bursts, self.owed = int(self.dut.bursts.value), int(self.dut.owed.value)
            self.ran = True

    async def pause(self) -> None:
        """For ever; one task for all channels, because cocotbext-axi's own, one for each, take most of the
        time of a simulation."""
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            for name, pauses in self.stalls.items():
                self.channels[name].pause = next(pauses) or name == self.closed

    def close(self, name: str | None) -> None:
        """From now on this channel takes nothing; None: all do what they should."""
        if self.closed:
            self.channels[self.closed].pause = False
        if name:
            self.channels[name].pause = True
        self.closed = name

    def now(self) -> int:
        return int(get_sim_time("ns")) // PERIOD

    def state(self) -> str:
        """Where everything stands, for a deadlock."""
        dut, shown = self.dut, []
        for prefix, channel in CHANNELS:
            handshake = "".join(
                str(int(getattr(dut, f"{prefix}_{channel}{signal}").value)) for signal in ("valid", "ready")
            )
            shown.append(f"{prefix} {channel} {handshake}")
        state = f"running {dut.running.value}, {int(dut.owed.value)} bursts owed"
        return f"{state}, valid and ready: {', '.join(shown)}"


def _blocks(writes: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, list[int]]]:
    """Words that follow each other, together."""
    first, words = 0, list[int]()
    for address, word in writes:
        if words and address != first + 4 * len(words):
            yield first, words
            words = []
        if not words:
            first = address
        words.append(word)
    if words:
        yield first, words
