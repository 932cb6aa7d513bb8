"""What fields of instructions name: units, memories, the layouts of a stationary operand."""

from __future__ import annotations

from enum import IntEnum


class Unit(IntEnum):
    LOAD = 0
    STORE = 1
    ARRAY = 2
    SHIFTMAX = 3
    LAYERNORM = 4
    GELU = 5
    ELEMENTWISE = 6


class Space(IntEnum):
    DRAM = 0
    SCRATCHPAD = 1
    STATIONARY = 2
    PARAMETERS = 3
    CONSTANTS = 4
    TABLE = 5


class Layout(IntEnum):
    """Where the stationary operand y of a product lies."""

    PACKED = 0  # stationary buffer, tiles with bias and scalars
    LANE_MAJOR = 1  # scratchpad, y[n, k] at y + n*stride + k
    DEPTH_MAJOR = 2  # scratchpad, y[n, k] at y + k*stride + n
