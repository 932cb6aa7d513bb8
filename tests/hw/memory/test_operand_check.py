"""The banks that two operands have touched, against sets of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.hw.memory.operand_check import OperandCheck

LATENCY = 2


@pytest.mark.parametrize("banks", [8, 9, 33])
def test_random_requests(banks: int) -> None:
    rng = np.random.default_rng(banks)
    dut = OperandCheck(banks=banks)
    seen = {False: 0, True: 0}

    async def bench(ctx: Any) -> None:
        touched: list[set[int]] = [set(), set()]
        shown = [False] * LATENCY
        for _ in range(4000):
            begin = rng.random() < 0.1
            ctx.set(dut.begin, int(begin))
            for k in range(2):
                active, bank, crosses = rng.random() < 0.3, int(rng.integers(banks)), rng.random() < 0.2
                for name, value in (("active", active), ("bank", bank), ("crosses", crosses)):
                    ctx.set(getattr(dut, f"{name}{k}"), int(value))
                if begin:
                    touched[k] = set()
                elif active:
                    touched[k] |= {bank, bank + 1} if crosses else {bank}
            wanted = shown.pop(0)
            if begin:  # nothing is under way when an instruction starts
                wanted, shown = False, [False] * (LATENCY - 1)
            shown.append(bool(touched[0] & touched[1] & set(range(banks))))
            assert ctx.get(dut.clash) == wanted
            seen[wanted] += 1
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert min(seen.values()) > 500
