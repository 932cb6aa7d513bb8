"""How long every instruction takes: the closed forms of docs/machine.md, section 6, once.

A row unit's `*_unit` function counts from the cycle in which the unit accepts its command to the one
in which its last result leaves, when inputs are always there and results always taken; the RTL's
benches measure just that. An instruction adds fetching and the way through the scratchpad.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import (
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
from intarsia.arch.machine import Machine

ISSUE = 4
"""Fetch and decode, before an instruction's first access."""
ACCESS = 6
"""From an address to the unit, and from the unit's result to where the next instruction reads it."""
WAIT = 1
"""A WAIT that is met takes this long."""
REQUANTIZE_PIPELINE = 10
"""One lane of requantization and the buffers around it."""
DIVIDE = 16
"""One quotient of up to 48 bits: once per row in Shiftmax and LayerNorm, pipelined in GELU."""
ROOT = 22
"""One square root; rows of LayerNorm follow each other no faster."""
ARRAY_PIPELINE = 8
"""MAC array: from the last row of x to its accumulators."""
SHIFTMAX_PIPELINE = 29
LAYERNORM_PIPELINE = 78
"""With the mean, the root and the reciprocal, one after the other."""
GELU_PIPELINE = 28
RESIDUAL_PIPELINE = 10
LOOKUP_PIPELINE = 3
ARGMAX_PIPELINE = 8
EXPAND_PIPELINE = 7


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
    """What LOAD and STORE move: the memory port's width, or half of a bank's port where that is less,
    because a word of the bus may begin anywhere in the scratchpad's 16 bytes."""
    return min(machine.memory_width, machine.word // 2)


def bus_words(instruction: Load | Store, machine: Machine) -> int:
    """Words of the bus that the pieces of a transfer touch: the cycles that their data take.

    A piece that does not begin at a word's border may touch one more than its bytes fill. The base
    register is a multiple of the port's width and does not matter.
    """
    width = bytes_per_cycle(machine)
    first = instruction.dram % width
    starts = np.add.outer(
        _offsets(instruction.dram_stride1, instruction.count1, width),
        _offsets(instruction.dram_stride2, instruction.count2, width),
    )
    pieces = np.multiply.outer(
        _repeats(instruction.dram_stride1, instruction.count1, width),
        _repeats(instruction.dram_stride2, instruction.count2, width),
    )
    words = ((first + starts) % width + instruction.size + width - 1) // width
    return int((words * pieces).sum())


def _period(stride: int, count: int, width: int) -> int:
    """How many pieces begin differently within a word before they repeat."""
    return min(count, width // math.gcd(stride, width))


def _offsets(stride: int, count: int, width: int) -> NDArray[np.int64]:
    return np.arange(_period(stride, count, width), dtype=np.int64) * stride % width


def _repeats(stride: int, count: int, width: int) -> NDArray[np.int64]:
    period = _period(stride, count, width)
    return (count - np.arange(period, dtype=np.int64) + period - 1) // period


def mac_array_unit(rows: int, tile_count: int, tile: int) -> int:
    """Load the first tile, stream the rows past every tile while the next one loads, drain the rows."""
    return tile + tile_count * max(rows, tile) + rows + ARRAY_PIPELINE


def requantize_unit(rows: int) -> int:
    """One vector per cycle."""
    return rows + REQUANTIZE_PIPELINE


def shiftmax_unit(rows: int, length: int, lanes: int) -> int:
    """Maximum, exponentials, products: a pass each. Rows start a pass or a quotient apart."""
    beats = ceil_div(length, lanes)
    return (rows - 1) * max(beats, DIVIDE) + 3 * beats + DIVIDE + SHIFTMAX_PIPELINE


def layernorm_unit(rows: int, length: int, lanes: int) -> int:
    """Sums and products of a row take a pass each; rows start a pass or a root apart."""
    beats = ceil_div(length, lanes)
    return (rows - 1) * max(beats, ROOT) + 2 * beats + LAYERNORM_PIPELINE


def gelu_unit(rows: int, length: int, lanes: int) -> int:
    """Maximum and products of a row take a pass each."""
    return (rows + 1) * ceil_div(length, lanes) + DIVIDE + GELU_PIPELINE


def residual_unit(rows: int, length: int, lanes: int) -> int:
    """One pass."""
    return rows * ceil_div(length, lanes) + RESIDUAL_PIPELINE


def lookup_unit(rows: int, length: int, lanes: int) -> int:
    """One pass."""
    return rows * ceil_div(length, lanes) + LOOKUP_PIPELINE


def argmax_unit(rows: int, length: int, lanes: int) -> int:
    """One pass, one label per row."""
    return rows * ceil_div(length, lanes) + ARGMAX_PIPELINE


def expand_unit(rows: int, length: int, factor: int, lanes: int) -> int:
    """As many passes as labels leave."""
    return rows * ceil_div(length * factor, lanes) + EXPAND_PIPELINE


def cycles(instruction: Instruction, machine: Machine) -> int:
    """Cycles from the start of an instruction to its completion; a WAIT's are those when it is met."""
    if isinstance(instruction, Wait):
        return WAIT
    return ISSUE + _work(instruction, machine)


def _work(instruction: Instruction, machine: Machine) -> int:
    elementwise = pairs_per_cycle(machine.elementwise_lanes, machine)
    match instruction:
        case Load() | Store():
            return machine.memory_latency + bus_words(instruction, machine)
        case Matmul(m=m, layout=layout):
            array = mac_array_unit(m, tiles(instruction, machine), tile_rows(layout, machine))
            return array + REQUANTIZE_PIPELINE + ACCESS
        case Shiftmax(rows=rows, length=length):
            return shiftmax_unit(rows, length, pairs_per_cycle(machine.shiftmax_lanes, machine)) + ACCESS
        case Layernorm(rows=rows, length=length):
            return layernorm_unit(rows, length, pairs_per_cycle(machine.layernorm_lanes, machine)) + ACCESS
        case Gelu(rows=rows, length=length):
            return gelu_unit(rows, length, min(machine.gelu_lanes, machine.word)) + ACCESS
        case Residual(rows=rows, length=length):
            return residual_unit(rows, length, elementwise) + ACCESS
        case Lookup(rows=rows, length=length):
            return lookup_unit(rows, length, elementwise) + ACCESS
        case Argmax(rows=rows, length=length):
            return argmax_unit(rows, length, elementwise) + ACCESS
        case Expand(rows=rows, length=length, factor=factor):
            return expand_unit(rows, length, factor, elementwise) + ACCESS
        case _:
            raise TypeError(f"{instruction} has no duration")
