"""The banked scratchpad, the flat one, and memories of lines, against an array of bytes."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import DomainRenamer
from amaranth.sim import Simulator

from emu.machine import Machine
from hw.line_memory import LineMemory
from hw.ports import ADDRESS_ERROR, LINE_BYTES, PORT_ERROR, READ_LATENCY
from hw.scratchpad import Scratchpad
from sim.flat_scratchpad import FlatScratchpad

SMALL = replace(Machine.load("tests/hw/small.toml"), banks=9, bank_kib=1)
ODD = replace(SMALL, lanes=8, depth=32, bank_kib=3)
"""Windows of four lines, banks that are no power of two."""
CYCLES = 200


def simulate(dut: Any, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def banks(machine: Machine, line: int, lines: int) -> set[int]:
    return {k * LINE_BYTES // machine.bank_bytes for k in range(line, line + lines)}


@pytest.mark.parametrize("kind", [Scratchpad, FlatScratchpad])
@pytest.mark.parametrize("machine", [SMALL, ODD], ids=["small", "odd"])
def test_random_windows(machine: Machine, kind: type[Scratchpad]) -> None:
    rng = np.random.default_rng(1)
    reads, writes = 3, 2
    dut = kind(machine, reads=reads, writes=writes)
    window = machine.word // LINE_BYTES
    total = machine.scratchpad_bytes // LINE_BYTES
    memory = np.zeros(machine.scratchpad_bytes, np.uint8)

    async def bench(ctx: Any) -> None:
        errors: list[int] = [0] * (reads + writes)
        awaited: list[list[Any]] = []
        landing: list[tuple[int, Any, Any]] = []
        seen = 0
        for _ in range(CYCLES):
            asked = []
            for port in [*dut.read, *dut.write]:
                lines = int(rng.integers(0, window + 1))
                line = int(rng.integers(total + 2 - lines)) if rng.random() < 0.98 else total - lines // 2
                asked.append((port, line, lines))
            landed, landing = landing, []
            now = []
            for index, (port, line, lines) in enumerate(asked):
                group = asked[:reads] if index < reads else asked[reads:]
                taken = banks(machine, line, lines)
                shared = any(other is not port and taken & banks(machine, at, n) for other, at, n in group)
                beyond = lines > 0 and line + lines > total
                now.append(ADDRESS_ERROR if beyond else PORT_ERROR if shared else 0)
                ctx.set(port.line, line)
                if index < reads:
                    ctx.set(port.enable, (1 << lines) - 1)
                else:
                    mask = rng.integers(0, 2, lines * LINE_BYTES).astype(bool)
                    mask[::LINE_BYTES] = True  # no line of a window may be empty before its last
                    data = rng.integers(0, 256, window * LINE_BYTES, dtype=np.uint8)
                    ctx.set(port.mask, sum(int(bit) << k for k, bit in enumerate(mask)))
                    ctx.set(port.data, int.from_bytes(data.tobytes(), "little"))
                    if now[-1] == 0:
                        landing.append((line, data, mask))
            # What lands in this cycle may be read by requests of this cycle.
            for line, data, mask in landed:
                part = memory[line * LINE_BYTES : line * LINE_BYTES + mask.size]
                part[mask] = data[: mask.size][mask]
            awaited.append(
                [
                    None if now[k] else memory[line * LINE_BYTES : (line + lines) * LINE_BYTES].copy()
                    for k, (_, line, lines) in enumerate(asked[:reads])
                ]
            )
            assert [ctx.get(port.error) for port, _, _ in asked] == errors
            if len(awaited) > READ_LATENCY:
                for port, wanted in zip(dut.read, awaited.pop(0), strict=True):
                    if wanted is not None and wanted.size:
                        found = ctx.get(port.data).to_bytes(machine.word, "little")
                        assert found[: wanted.size] == wanted.tobytes()
                        seen += wanted.size
            errors = now
            await ctx.tick()
        assert seen > 1000

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("lines", "write", "reads"), [(48, 32, (16, 16)), (100, 32, (96, 32)), (64, 64, (16,))]
)
def test_lines(lines: int, write: int, reads: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    dut = LineMemory(lines=lines, write=write, reads=reads)
    memory = np.zeros(lines * LINE_BYTES, np.uint8)

    async def bench(ctx: Any) -> None:
        for _ in range(60):
            count = int(rng.integers(1, write // LINE_BYTES + 1))
            line = int(rng.integers(lines + 1 - count))
            mask = rng.integers(0, 2, count * LINE_BYTES).astype(bool)
            data = rng.integers(0, 256, write, dtype=np.uint8)
            ctx.set(dut.write.line, line)
            ctx.set(dut.write.mask, sum(int(bit) << k for k, bit in enumerate(mask)))
            ctx.set(dut.write.data, int.from_bytes(data.tobytes(), "little"))
            memory[line * LINE_BYTES :][: mask.size][mask] = data[: mask.size][mask]
            await ctx.tick()
            ctx.set(dut.write.mask, 0)
            assert ctx.get(dut.write.error) == 0
            await ctx.tick()
        for _ in range(60):
            for number, size in enumerate(reads):
                port = getattr(dut, f"read{number}")
                line = int(rng.integers(lines + 1 - size // LINE_BYTES))
                ctx.set(port.line, line)
                ctx.set(port.enable, (1 << size // LINE_BYTES) - 1)
                await ctx.tick()
                await ctx.tick()
                found = ctx.get(port.data).to_bytes(size, "little")
                assert found == memory[line * LINE_BYTES :][:size].tobytes()
        port = dut.read0
        ctx.set(port.line, lines)
        await ctx.tick()
        assert ctx.get(port.error) == ADDRESS_ERROR

    simulate(DomainRenamer({"write": "sync"})(dut), bench)
