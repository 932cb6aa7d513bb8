"""One class per opcode (docs/machine.md, section 4); addresses and strides are in bytes."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Wait:
    """Blocks its queue until `unit` has completed iteration * total + `count` instructions."""

    unit: Unit
    count: int


@dataclass(frozen=True, slots=True)
class Load:
    """DRAM to `space`: count1 * count2 pieces of `size` bytes."""

    dram: int
    space: Space
    address: int
    size: int
    count1: int = 1
    count2: int = 1
    dram_stride1: int = 0
    dram_stride2: int = 0
    stride1: int = 0
    stride2: int = 0
    based: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    """Scratchpad to DRAM: count1 * count2 pieces of `size` bytes."""

    dram: int
    address: int
    size: int
    count1: int = 1
    count2: int = 1
    dram_stride1: int = 0
    dram_stride2: int = 0
    stride1: int = 0
    stride2: int = 0
    based: bool = False


@dataclass(frozen=True, slots=True)
class Matmul:
    """out [M, N] = requantized x [M, K] times y [N, K] transposed."""

    x: int
    y: int
    out: int
    m: int
    k: int
    n: int
    x_stride: int
    y_stride: int
    out_stride: int
    layout: Layout = Layout.PACKED
    x16: bool = False
    out16: bool = False
    param: int = 0


@dataclass(frozen=True, slots=True)
class Shiftmax:
    """int8 [rows, length] to int16 or int8."""

    source: int
    target: int
    rows: int
    length: int
    source_stride: int
    target_stride: int
    param: int
    out8: bool = False


@dataclass(frozen=True, slots=True)
class Layernorm:
    """int16 [rows, length] to int8 or int16, with b and B of the slot of row constants."""

    source: int
    slot: int
    target: int
    rows: int
    length: int
    source_stride: int
    target_stride: int
    param: int
    out16: bool = False


@dataclass(frozen=True, slots=True)
class Gelu:
    """int8 [rows, length] to int8."""

    source: int
    target: int
    rows: int
    length: int
    source_stride: int
    target_stride: int
    param: int


@dataclass(frozen=True, slots=True)
class Residual:
    """Sum of two int16 [rows, length], each rescaled, to int16."""

    x: int
    identity: int
    target: int
    rows: int
    length: int
    x_stride: int
    identity_stride: int
    target_stride: int
    param: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """uint8 pixels [rows, length] to int8 through the table of their channel."""

    source: int
    target: int
    rows: int
    length: int
    source_stride: int
    target_stride: int


@dataclass(frozen=True, slots=True)
class Argmax:
    """int16 [rows, length] to one label per row, adjacent: uint8, or uint16 when `wide`."""

    source: int
    target: int
    rows: int
    length: int
    source_stride: int
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Expand:
    """Labels [rows, length] to [rows, length * factor], each repeated; uint16 when `wide`."""

    source: int
    target: int
    rows: int
    length: int
    source_stride: int
    target_stride: int
    factor: int
    wide: bool = False


Instruction = (
    Wait | Load | Store | Matmul | Shiftmax | Layernorm | Gelu | Residual | Lookup | Argmax | Expand
)

UNIT: dict[type, Unit] = {
    Load: Unit.LOAD,
    Store: Unit.STORE,
    Matmul: Unit.ARRAY,
    Shiftmax: Unit.SHIFTMAX,
    Layernorm: Unit.LAYERNORM,
    Gelu: Unit.GELU,
    Residual: Unit.ELEMENTWISE,
    Lookup: Unit.ELEMENTWISE,
    Argmax: Unit.ELEMENTWISE,
    Expand: Unit.ELEMENTWISE,
}
