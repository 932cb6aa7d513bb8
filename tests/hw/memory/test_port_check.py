"""What is wrong with requests, against sets of lines and banks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.ports import ADDRESS_ERROR, LINE_BYTES, PORT_ERROR
from intarsia.hw.memory.port_check import PortCheck
from tests.hw.sizes import ODD, SHAPES, SMALL


def requests(machine: Machine, rng: np.random.Generator) -> list[tuple[int, int]]:
    """First line and lines of every port: close together, often about a border or the end, or far away."""
    end = machine.scratchpad_bytes // LINE_BYTES
    bank = machine.bank_bytes // LINE_BYTES
    near = int(rng.integers(0, end))
    border = int(rng.integers(1, machine.banks + 1)) * bank
    found = []
    for shape in SHAPES:
        lines = int(rng.integers(0, shape.lines + 1))
        first = int(
            rng.choice(
                [
                    near + int(rng.integers(-2 * bank, 2 * bank)),
                    border + int(rng.integers(-shape.lines - 1, 3)),
                    border + int(rng.integers(-bank - 1, bank + 2)),
                    end + int(rng.integers(-shape.lines - 1, 3)),
                    int(rng.integers(0, end)),
                    int(rng.integers(0, 1 << 28)),
                    end | 1 << int(rng.integers(28)),
                    (1 << 28) - 1 - int(rng.integers(8)),
                ],
                p=[0.2, 0.3, 0.2, 0.1, 0.05, 0.05, 0.05, 0.05],
            )
        )
        found.append((max(first, 0), lines))
    return found


def errors(machine: Machine, asked: list[tuple[int, int]]) -> list[int]:
    """By port."""
    end = machine.scratchpad_bytes // LINE_BYTES
    lines = [set(range(first, first + count)) for first, count in asked]
    banks = [{line * LINE_BYTES // machine.bank_bytes for line in part if line < end} for part in lines]
    found = []
    for number, (mine, own) in enumerate(zip(lines, banks, strict=True)):
        shared = any(own & other for k, other in enumerate(banks) if k != number)
        found.append(ADDRESS_ERROR if any(line >= end for line in mine) else PORT_ERROR if shared else 0)
    return found


@pytest.mark.parametrize("machine", [SMALL, ODD], ids=["small", "odd"])
def test_finds_what_is_beyond_and_what_meets(machine: Machine) -> None:
    dut = PortCheck(machine, SHAPES)
    rng = np.random.default_rng(0)
    seen = []

    async def bench(ctx: Any) -> None:
        for _ in range(4000):
            asked = requests(machine, rng)
            for (line, enable), (first, count) in zip(dut.requests, asked, strict=True):
                ctx.set(line, first)
                ctx.set(enable, (1 << count) - 1)
            await ctx.delay(1e-9)
            found = [ctx.get(error) for error in dut.error]
            assert found == errors(machine, asked), asked
            seen.extend(found)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert min(seen.count(code) for code in (0, ADDRESS_ERROR, PORT_ERROR)) > 1000
