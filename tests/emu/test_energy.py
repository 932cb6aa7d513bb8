"""The energy table and what it is multiplied with."""

from __future__ import annotations

import pytest

from intarsia.arch.isa import Expand, Load, Matmul, Shiftmax, Space, Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Segment
from intarsia.emu.energy import energy, operations, sram_pj_per_bit, table

MACHINE = Machine(
    name="test", clock_mhz=800, lanes=32, depth=32, accumulator_rows=512,
    shiftmax_lanes=16, layernorm_lanes=16, gelu_lanes=16, elementwise_lanes=32,
    banks=112, bank_kib=32, stationary_kib=256, memory_width=16, memory_latency=100,
)  # fmt: skip


@pytest.mark.parametrize(("kib", "pj"), [(8, 10), (32, 20), (1024, 100), (2, 5), (4096, 200)])
def test_sram_meets_the_published_points(kib, pj):
    assert sram_pj_per_bit(kib * 1024) * 64 == pytest.approx(pj)


def test_larger_memories_cost_more():
    costs = [sram_pj_per_bit(2**n) for n in range(8, 26)]
    assert costs == sorted(costs)


def test_table_says_what_it_is_for():
    prices = table(MACHINE)
    assert prices["mac"].pj == pytest.approx(0.3)
    assert prices["dram"].pj == pytest.approx(20.3125)
    assert prices["scratchpad"].pj == pytest.approx(20 / 64)  # banks of 32 KiB
    assert all(entry.source and entry.unit for entry in prices.values())


def program():
    queues = [()] * 7
    queues[Unit.LOAD] = (Load(0, Space.SCRATCHPAD, 0, 64),)
    queues[Unit.ARRAY] = (
        Wait(Unit.LOAD, 1),
        Matmul(0, 0, 0, 8, 16, 4, 16, 16, 16),
        Matmul(0, 0, 0, 8, 16, 4, 32, 16, 16, x16=True),
    )
    queues[Unit.SHIFTMAX] = (Shiftmax(0, 0, 3, 5, 16, 16, 0),)
    queues[Unit.ELEMENTWISE] = (Expand(0, 0, 2, 3, 16, 16, 4),)
    labels = tuple(tuple("x" for i in queue if not isinstance(i, Wait)) for queue in queues)
    return Program(MACHINE, (Segment("s", tuple(queues), labels, repeat=2),), (), 64, "uint8")


def test_operations_of_a_program():
    assert operations(program()) == {
        "mac": 2 * (512 + 2 * 512),  # 16-bit operands take two passes
        "requantize": 2 * 64,
        "shiftmax": 2 * 15,
        "expand": 2 * 24,
    }


def test_energy_is_the_sum_of_its_lines():
    traffic = {"dram": {"read": 1000, "write": 24}, "scratchpad": {"read": 64, "write": 0}}
    found = energy(MACHINE, {"mac": 10**6, "expand": 5}, traffic, cycles=800)
    assert found["uj"]["mac"] == pytest.approx(0.3)
    assert found["uj"]["dram"] == pytest.approx(1024 / 64 * 1300 / 1e6)
    assert found["uj"]["scratchpad"] == pytest.approx(20 / 1e6)
    assert found["uj"]["expand"] == 0
    assert found["total_uj"] == pytest.approx(sum(found["uj"].values()))
    assert found["average_mw"] == pytest.approx(
        found["total_uj"] * 1e-6 / 1e-6 * 1e3
    )  # 800 cycles are 1 us
    assert [line["name"] for line in found["table"]] == ["mac", "expand", "dram", "scratchpad"]
