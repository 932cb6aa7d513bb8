"""Energy of one inference: operations and bits moved, times a table.

The table is for 45 nm at 0.9 V, from M. Horowitz, "Computing's energy problem (and what we can do
about it)", ISSCC 2014, figure 1.1.9, the numbers that most comparisons of accelerators use:

- integer addition: 0.03 pJ for 8 bits, 0.1 pJ for 32;  multiplication: 0.2 pJ for 8, 3.1 pJ for 32;
- 64 bits from an SRAM: 10 pJ of 8 KiB, 20 pJ of 32 KiB, 100 pJ of 1 MiB;
- 64 bits from DRAM: 1.3 to 2.6 nJ.

What is derived from it here:

- a MAC is an 8-bit multiplication and a 32-bit addition; a 16-bit operand takes two (its two passes);
- an SRAM bit costs a 64th of the figure for the size of the memory that is accessed (one bank, one half
  of the stationary buffer, one slot of constants), between the three sizes interpolated on logarithmic
  scales, outside of them growing with the square root of the size; a write costs what a read costs;
- a DRAM bit costs a 64th of 1.3 nJ, the lower end: the schedule reads in long bursts;
- an element of an instruction costs the additions and multiplications that its class says, all of 32 bits.

Left out: registers, clock tree, leakage, control, wires between units. It
compares designs; it predicts no chip.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intarsia.arch.isa import INSTRUCTIONS, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program

ADD8, ADD32, MULTIPLY8, MULTIPLY32 = 0.03, 0.1, 0.2, 3.1
SRAM = ((8 * 2**10, 10.0), (32 * 2**10, 20.0), (2**20, 100.0))
"""Bytes of the memory, pJ per 64 bits."""
DRAM = 1300.0
"""pJ per 64 bits."""
MAC = MULTIPLY8 + ADD32

OPERATIONS: dict[str, tuple[int, int]] = {
    cost.name: (cost.additions, cost.multiplications) for kind in INSTRUCTIONS for cost in kind.costs
}
"""32-bit additions and multiplications per element, shifts are free; why so many, each instruction says."""

SOURCE = "Horowitz, ISSCC 2014 (45 nm, 0.9 V)"


@dataclass(frozen=True)
class Entry:
    """One line of the table: `pj` picojoules per `unit`."""

    name: str
    pj: float
    unit: str
    source: str


def sram_pj_per_bit(size: int) -> float:
    """Energy of one bit read from or written to an SRAM of `size` bytes."""
    (low, low_pj), (middle, middle_pj), (high, high_pj) = SRAM
    if size <= low:
        pj = low_pj * math.sqrt(size / low)
    elif size >= high:
        pj = high_pj * math.sqrt(size / high)
    else:
        first = (low, low_pj, middle, middle_pj) if size <= middle else (middle, middle_pj, high, high_pj)
        a, a_pj, b, b_pj = first
        pj = a_pj * (b_pj / a_pj) ** (math.log(size / a) / math.log(b / a))
    return pj / 64


def table(machine: Machine) -> dict[str, Entry]:
    """What everything costs on `machine`."""
    memories = {
        "scratchpad": (machine.bank_bytes, "one bank"),
        "stationary": (machine.stationary_bytes // 2, "one half"),
        "accumulator": (machine.accumulator_rows * machine.lanes * 4, "one bank"),
        "constants": (machine.slot_bytes, "one slot"),
    }
    entries = [
        Entry("mac", MAC, "int8 multiplication with int32 addition", f"{SOURCE}: {MULTIPLY8} + {ADD32} pJ")
    ]
    for name, (additions, products) in OPERATIONS.items():
        pj = additions * ADD32 + products * MULTIPLY32
        source = f"{SOURCE}: {additions} additions, {products} multiplications of 32 bits"
        entries.append(Entry(name, pj, "element", source))
    entries.append(Entry("dram", DRAM / 64, "bit", f"{SOURCE}: {DRAM / 1000} nJ per 64 bits"))
    for name, (size, part) in memories.items():
        source = f"{SOURCE}: SRAM of {size / 1024:g} KiB ({part}), interpolated"
        entries.append(Entry(name, sram_pj_per_bit(size), "bit", source))
    return {entry.name: entry for entry in entries}


def operations(program: Program) -> dict[str, int]:
    """How often each line of the table that is no memory is used: MACs, elements."""
    counts: Counter[str] = Counter()
    for segment in program.segments:
        here: Counter[str] = Counter()
        for queue in segment.queues:
            for instruction in queue:
                if not isinstance(instruction, Wait):
                    here.update(instruction.work(program.machine))
        for name, count in here.items():
            counts[name] += count * segment.repeat
    return dict(counts)


def energy(
    machine: Machine, counts: Mapping[str, int], traffic: Mapping[str, Mapping[str, int]], cycles: int
) -> dict[str, Any]:
    """Energy in microjoules of `counts` (see `operations`) and of `traffic` (bits: LEVEL: read, write).

    Keys: total_uj, average_mw over `cycles`, uj by line of the table, the lines used (`table`).
    """
    prices = table(machine)
    uses = {name: count for name, count in counts.items() if name in prices}
    uses |= {level: both["read"] + both["write"] for level, both in traffic.items() if level in prices}
    uj = {name: count * prices[name].pj / 1e6 for name, count in uses.items()}
    total = sum(uj.values())
    seconds = cycles / (machine.clock_mhz * 1e6)
    return {
        "total_uj": total,
        "average_mw": total / 1000 / seconds if seconds else 0.0,
        "uj": uj,
        "table": [
            {"name": name, "count": count, "unit": price.unit, "pj": price.pj, "source": price.source}
            for name, count in uses.items()
            for price in [prices[name]]
        ],
        "left_out": "registers, clock tree, leakage, control, wires between units",
    }
