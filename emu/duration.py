"""How long every instruction takes: the closed forms of docs/machine.md, section 6, once.

The constants are latencies of the hardware's pipelines; the RTL's benches import them from here.
"""

from __future__ import annotations

from emu.isa import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Store,
    Wait,
)
from emu.machine import Machine

ISSUE = 4
"""Fetch and decode, before an instruction's first access."""
ARRAY_PIPELINE = 16
"""From the last row of x to its last output: adder tree, accumulator, requantization."""
DIVIDE = 16
"""One quotient: Shiftmax divides once per row, GELU's dividers are pipelined."""
ROOT = 22
"""One square root, LayerNorm's once per row."""
ROW_PIPELINE = 12
"""Stages of a row unit behind its last element."""
ELEMENT_PIPELINE = 8
"""Stages of the elementwise unit behind its last element."""
WAIT = 1
"""A WAIT that is met takes this long."""


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def tile_rows(layout: Layout, machine: Machine) -> int:
    """Cycles to load one stationary tile: a row of it per cycle."""
    return machine.depth if layout is Layout.DEPTH_MAJOR else machine.lanes


def tiles(instruction: Matmul, machine: Machine) -> int:
    """Stationary tiles that a product streams its rows past, both passes of int16 x counted."""
    passes = 2 if instruction.x16 else 1
    return ceil_div(instruction.n, machine.lanes) * ceil_div(instruction.k, machine.depth) * passes


def pairs_per_cycle(lanes: int, machine: Machine) -> int:
    """16-bit elements that a unit of so many lanes moves per cycle: a port has W bytes."""
    return min(lanes, machine.word // 2)


def bytes_per_cycle(machine: Machine) -> int:
    """What LOAD and STORE move: the memory port's width, or a bank port's where that is less."""
    return min(machine.memory_width, machine.word)


def cycles(instruction: Instruction, machine: Machine) -> int:
    """Cycles from the start of an instruction to its completion; a WAIT's are those when it is met."""
    match instruction:
        case Wait():
            return WAIT
        case Load() | Store():
            beats = ceil_div(instruction.size, bytes_per_cycle(machine))
            return ISSUE + machine.memory_latency + instruction.count1 * instruction.count2 * beats
        case Matmul():
            tile = tile_rows(instruction.layout, machine)
            streamed = tiles(instruction, machine) * max(instruction.m, tile)
            return ISSUE + tile + streamed + instruction.m + ARRAY_PIPELINE
        case Shiftmax():
            row = max(
                ceil_div(instruction.length, pairs_per_cycle(machine.shiftmax_lanes, machine)), DIVIDE
            )
            return ISSUE + (instruction.rows + 2) * row + ROW_PIPELINE
        case Layernorm():
            row = max(ceil_div(instruction.length, pairs_per_cycle(machine.layernorm_lanes, machine)), ROOT)
            return ISSUE + (instruction.rows + 3) * row + ROW_PIPELINE
        case Gelu():
            row = ceil_div(instruction.length, min(machine.gelu_lanes, machine.word))
            return ISSUE + (instruction.rows + 1) * row + DIVIDE + ROW_PIPELINE
        case Residual() | Lookup() | Argmax():
            row = ceil_div(instruction.length, pairs_per_cycle(machine.elementwise_lanes, machine))
            return ISSUE + instruction.rows * row + ELEMENT_PIPELINE
        case Expand():
            lanes = pairs_per_cycle(machine.elementwise_lanes, machine)
            row = ceil_div(instruction.length * instruction.factor, lanes)
            return ISSUE + instruction.rows * row + ELEMENT_PIPELINE
