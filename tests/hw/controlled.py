# amaranth: UnusedElaboratable=no
"""Control, sequencer and watchdog with units that only take time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from intarsia.arch.duration import cycles
from intarsia.arch.isa import Unit, Wait, decode, encode
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.hw.interfaces.axi import lite_bus
from intarsia.hw.sequencer.control import (
    ADDRESS_BITS,
    CONTROL,
    DONE,
    PROGRAM_STRIDE,
    PROGRAMS,
    RUNNING,
    SEGMENTS,
    STATUS,
    TABLE,
    TABLE_STRIDE,
    Control,
)
from intarsia.hw.sequencer.queue import UNITS
from intarsia.hw.sequencer.sequencer import PORT, Sequencer
from intarsia.hw.sequencer.watchdog import Watchdog
from tests.hw.host import Host, Write

DEPTH, TABLE_DEPTH = 64, 4
Body = Callable[[Any, Host], Awaitable[None]]


def descriptors(program: Program) -> list[list[int]]:
    """The segment table's words; the queues stand one after the other in the program memories."""
    first = [0] * len(Unit)
    table = []
    for segment in program.segments:
        words = [segment.base, segment.base_step, segment.repeat]
        for unit, queue in enumerate(segment.queues):
            words += [first[unit], len(queue), sum(not isinstance(i, Wait) for i in queue)]
            first[unit] += len(queue)
        table.append(words)
    return table


def writes(program: Program) -> list[Write]:
    """What loads a program, the start not included."""
    found: list[Write] = [(SEGMENTS, len(program.segments))]
    for number, words in enumerate(descriptors(program)):
        place = TABLE + TABLE_STRIDE * number
        found += [(place + 4 * k, word) for k, word in enumerate(words)]
    for unit in Unit:
        code = b"".join(encode(i) for segment in program.segments for i in segment.queues[unit])
        place = PROGRAMS + PROGRAM_STRIDE * unit
        found += [(place + 4 * k, word) for k, word in enumerate(np.frombuffer(code, "<u4").tolist())]
    return found


START: Write = (CONTROL, 1)


class Controlled(wiring.Component):
    """The three, connected."""

    def __init__(self, machine: Machine, *, patience: int) -> None:
        self.machine = machine
        self.control = Control(machine, depth=DEPTH, segments=TABLE_DEPTH)
        self.sequencer = Sequencer(depth=DEPTH, segments=TABLE_DEPTH, width=8)
        self.watchdog = Watchdog(patience=patience)
        super().__init__(
            {
                "bus": In(lite_bus(ADDRESS_BITS)),
                "unit": Out(PORT).array(UNITS),
                "quiet": In(1),
                "moved": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.control = control = self.control
        m.submodules.sequencer = sequencer = self.sequencer
        m.submodules.watchdog = watchdog = self.watchdog
        control.attach(m, sequencer)
        wiring.connect(m, wiring.flipped(self.bus), control.bus)
        for outer, inner in zip(self.unit, sequencer.unit, strict=True):
            wiring.connect(m, inner, wiring.flipped(outer))
        m.d.comb += [
            control.quiet.eq(self.quiet),
            control.moved.eq(self.moved),
            watchdog.running.eq(sequencer.running | sequencer.fetching),
            watchdog.busy.eq(sequencer.busy),
            watchdog.moved.eq(self.moved),
            sequencer.expired.eq(watchdog.expired),
        ]
        return m


class Units:
    """Take an instruction's cycles, then are done.

    `errors`: by unit, the number of the instruction since the start that fails in its last cycle, and the
    code. For `noise` cycles after that not all is quiet. `moving`: whether LOADs move a byte per cycle.
    `endless`: units that do not end their instructions.
    """

    def __init__(self) -> None:
        self.errors: dict[Unit, tuple[int, int]] = {}
        self.noise = 0
        self.moving = True
        self.endless: set[Unit] = set()
        self.ran = self.moved = 0
        self.spans: list[list[tuple[int, int]]] = [[] for _ in Unit]

    def reset(self) -> None:
        self.ran = self.moved = 0
        self.spans = [[] for _ in Unit]

    async def run(self, ctx: Any, *, dut: Controlled) -> None:
        left = [0] * len(Unit)
        noise = 0
        while True:
            running = ctx.get(dut.sequencer.running)
            for unit in Unit:
                port = dut.unit[unit]
                if not running:
                    left[unit] = 0
                elif ctx.get(port.start):
                    assert left[unit] == 0
                    word = ctx.get(port.instruction)
                    left[unit] = cycles(decode(word.to_bytes(32, "little")), dut.machine)
                    self.spans[unit].append((self.ran, self.ran + left[unit]))
                ending = left[unit] == 1 and unit not in self.endless
                number, code = self.errors.get(unit, (-1, 0))
                fails = ending and len(self.spans[unit]) - 1 == number
                ctx.set(port.finishing, ending)
                ctx.set(port.error, code if fails else 0)
                noise = self.noise if fails else noise
            ctx.set(dut.quiet, noise == 0)
            noise = max(noise - 1, 0) if not running else noise
            moved = self.moving and left[Unit.LOAD] > 1
            ctx.set(dut.moved, moved)
            self.moved += running and moved
            left = [n - 1 if n > 1 else n if u in self.endless else 0 for u, n in enumerate(left)]
            self.ran += running
            await ctx.tick()


def simulate(dut: Controlled, host: Host, units: Units, body: Body) -> None:
    """Runs `body`, a host's program, beside the units."""

    async def bench(ctx: Any) -> None:
        await body(ctx, host)

    async def background(ctx: Any) -> None:
        await units.run(ctx, dut=dut)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.add_testbench(background, background=True)
    simulator.run()


async def finish(ctx: Any, host: Host) -> int:
    """The status once the machine does not run."""
    while (status := (await host.read(ctx, STATUS))[0]) & RUNNING:
        assert not status & DONE and host.cycles < 100000
    return status


async def long(ctx: Any, host: Host, *addresses: int) -> list[int]:
    """Registers of 64 bits."""
    words = await host.read(ctx, *(a + half for a in addresses for half in (0, 4)))
    return [low | high << 32 for low, high in zip(words[::2], words[1::2], strict=True)]
