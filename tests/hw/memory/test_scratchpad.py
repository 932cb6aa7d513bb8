"""The banked scratchpad, the flat one, and memories of lines, against an array of bytes."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import DomainRenamer
from amaranth.sim import Simulator

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.ports import (
    ADDRESS_ERROR,
    LINE_BYTES,
    PORT_ERROR,
    READ_LATENCY,
    WRITE_LATENCY,
    Shape,
)
from intarsia.hw.memory.line_memory import LineMemory
from intarsia.hw.memory.scratchpad import Scratchpad
from intarsia.sim.flat_scratchpad import FlatScratchpad

SMALL = replace(Machine.load("tests/hw/small.toml"), banks=9, bank_kib=1)
ODD = replace(SMALL, lanes=8, depth=32, bank_kib=3)
"""Windows of four lines, banks that are no power of two."""
CYCLES = 300


def simulate(dut: Any, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


READS = (Shape(4, 2), Shape.of(16, 8), Shape.of(8, 8), Shape.of(2, 2))
WRITES = (Shape.of(8, 1), Shape.of(16, 16), Shape.of(4, 4))
"""Some that reach across a line's border, some that need not."""


def wide(machine: Machine) -> tuple[Shape, ...]:
    """Ports as wide as the columns, and one of several lines that reaches across all."""
    return Shape.of(machine.word, LINE_BYTES), Shape.of(machine.word // 2, 1)


@dataclass
class Request:
    """`size` bytes from `address` on; none if that is 0."""

    port: Any
    shape: Shape
    address: int
    size: int

    @property
    def lines(self) -> set[int]:
        return {place // LINE_BYTES for place in range(self.address, self.address + self.size)}

    def banks(self, machine: Machine) -> set[int]:
        return {line * LINE_BYTES // machine.bank_bytes for line in self.lines}

    def set(self, ctx: Any) -> None:
        ctx.set(self.port.address, self.address)
        ctx.set(self.port.enable, (1 << len(self.lines)) - 1)

    def write(self, ctx: Any, rng: np.random.Generator) -> tuple[Any, ...]:
        """Sets what is written; where that lands, and the bytes."""
        lanes = self.shape.lanes
        places = np.arange(self.address, self.address + self.size)
        kept = places[rng.random(self.size) < 0.8]
        data = rng.integers(0, 256, lanes, dtype=np.uint8)
        mask = sum(1 << int(place) % lanes for place in kept)
        # Of what is not written it may be anything.
        ctx.set(self.port.mask, mask if self.size else -1)
        ctx.set(self.port.data, int.from_bytes(data.tobytes(), "little"))
        return kept, data[kept % lanes]


def ask(rng: np.random.Generator, port: Any, shape: Shape, end: int) -> Request:
    """Some bytes anywhere, often none, often about a border, now and then beyond the memory."""
    alignment = 1
    while Shape.of(shape.lanes, alignment).lines > shape.lines:
        alignment *= 2
    size = int(rng.integers(1, shape.lanes + 1)) if rng.random() < 0.6 else 0
    if rng.random() < 0.04:
        address = int(rng.choice([end, end - size // 2, end - size + 1]))
    else:
        address = int(rng.integers(0, end + 1 - size))
        if rng.random() < 0.5:
            place = (address // 1024 * 1024 + int(rng.integers(-shape.lanes, 1))) % end
            address = min(place, end - size)
    return Request(port, shape, address // alignment * alignment, size)


@pytest.mark.parametrize("kind", [Scratchpad, FlatScratchpad])
@pytest.mark.parametrize("machine", [SMALL, ODD], ids=["small", "odd"])
@pytest.mark.parametrize("narrow", [True, False], ids=["narrow", "wide"])
def test_random_requests(machine: Machine, kind: type[Scratchpad], narrow: bool) -> None:
    rng = np.random.default_rng(1)
    reads, writes = (READS, WRITES) if narrow else (wide(machine),) * 2
    dut = kind(machine, reads=reads, writes=writes)
    end = machine.scratchpad_bytes
    memory = np.zeros(end, np.uint8)

    async def bench(ctx: Any) -> None:
        errors: list[int] = [0] * (len(reads) + len(writes))
        awaited: list[list[Any]] = []
        landing: list[list[tuple[Any, ...]]] = [[]] * WRITE_LATENCY
        history: list[list[Request]] = []
        seen = 0
        for _ in range(CYCLES):
            asked = [
                [ask(rng, port, shape, end) for port, shape in zip(ports, shapes, strict=True)]
                for ports, shapes in ((dut.read, reads), (dut.write, writes))
            ]
            landing.append([])
            now = []
            for kind_number, group in enumerate(asked):
                for one in group:
                    shared = any(
                        one.banks(machine) & other.banks(machine) for other in group if other is not one
                    )
                    beyond = one.size > 0 and one.address + one.size > end
                    now.append(ADDRESS_ERROR if beyond else PORT_ERROR if shared else 0)
                    one.set(ctx)
                    if kind_number == 1:
                        written = one.write(ctx, rng)
                        if now[-1] == 0:
                            landing[-1].append(written)
            # What lands in this cycle may be read by requests of this cycle.
            for places, data in landing.pop(0):
                memory[places] = data
            awaited.append(
                [
                    None if now[k] else memory[one.address : one.address + one.size].copy()
                    for k, one in enumerate(asked[0])
                ]
            )
            assert [ctx.get(port.error) for port in (*dut.read, *dut.write)] == errors
            history.append(asked[0])
            if len(awaited) > READ_LATENCY:
                for one, wanted in zip(history.pop(0), awaited.pop(0), strict=True):
                    if wanted is None:
                        continue
                    lanes = ctx.get(one.port.data).to_bytes(one.shape.lanes, "little")
                    for k, byte in enumerate(wanted):
                        assert lanes[(one.address + k) % one.shape.lanes] == byte
                    seen += wanted.size
            errors = now
            await ctx.tick()
        assert seen > 1000

    simulate(dut, bench)


@pytest.mark.parametrize("kind", [Scratchpad, FlatScratchpad])
def test_operands_stay_apart(kind: type[Scratchpad]) -> None:
    """Two ports that must not touch one bank between two starts, in whatever cycles; a third one may."""
    shape = Shape.of(16, 16)
    dut = kind(SMALL, reads=(shape,) * 3, writes=(shape,), apart=((0, 2),))
    # By cycle: whether an instruction starts, and the banks that the ports read.
    steps = [
        (True, None, None, None),
        (False, 1, 0, 2),
        (False, None, 2, 3),
        (False, 2, None, None),
        *[(False, None, None, None)] * 5,
        (True, None, None, None),
        *[(False, None, None, None)] * 3,
        (False, 2, 1, 3),
        (False, 4, 3, 5),
        *[(False, None, None, None)] * 5,
    ]

    async def bench(ctx: Any) -> None:
        seen = []
        for begin, *banks in steps:
            ctx.set(dut.begin0, int(begin))
            for port, bank in zip(dut.read, banks, strict=True):
                ctx.set(port.enable, int(bank is not None))
                ctx.set(port.address, (bank or 0) * SMALL.bank_bytes + 32)
            seen.append([ctx.get(port.error) for port in dut.read])
            await ctx.tick()
        # From the third cycle after the request until the next start.
        clash = range(6, 10)
        assert seen == [
            [PORT_ERROR * (k in clash), 0, PORT_ERROR * (k in clash)] for k in range(len(steps))
        ]

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("lines", "write", "reads"),
    [
        (48, Shape.of(8, 1), (Shape.of(16, 16), Shape.of(1, 1))),
        (100, Shape.of(32, 1), (Shape.of(64, 16), Shape.of(24, 8))),
        (64, Shape.of(1, 1), (Shape.of(16, 16),)),
    ],
)
def test_lines(lines: int, write: Shape, reads: tuple[Shape, ...]) -> None:
    rng = np.random.default_rng(2)
    dut = LineMemory(lines=lines, write=write, reads=reads)
    end = lines * LINE_BYTES
    memory = np.zeros(end, np.uint8)

    def inside(port: Any, shape: Shape) -> Request:
        while (one := ask(rng, port, shape, end)).address + one.size > end or not one.size:
            pass
        return one

    async def bench(ctx: Any) -> None:
        for _ in range(200):
            one = inside(dut.write, write)
            one.set(ctx)
            places, data = one.write(ctx, rng)
            memory[places] = data
            await ctx.tick()
            ctx.set(dut.write.enable, 0)
            ctx.set(dut.write.mask, -1)  # as that of a write to another memory
            assert ctx.get(dut.write.error) == 0
            await ctx.tick()
        for _ in range(60):
            for number, shape in enumerate(reads):
                one = inside(getattr(dut, f"read{number}"), shape)
                one.set(ctx)
                for _ in range(READ_LATENCY):
                    await ctx.tick()
                found = ctx.get(one.port.data).to_bytes(shape.lanes, "little")
                for place in range(one.address, one.address + one.size):
                    assert found[place % shape.lanes] == memory[place]
        port = dut.read0
        ctx.set(port.address, end)
        ctx.set(port.enable, 1)
        await ctx.tick()
        assert ctx.get(port.error) == ADDRESS_ERROR

    simulate(DomainRenamer({"write": "sync"})(dut), bench)
