"""MATMUL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.duration import ceil_div
from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Layout, Space, Unit
from intarsia.arch.isa.instruction import Cost, Instruction, Moved
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.operand import BYTE, INT8, Element, Operand, When, matrix, parameter_word
from intarsia.arch.isa.record import Record, Scalar, multiplier, shift
from intarsia.arch.machine import ENTRY_BYTES, PARAMETER_BYTES, Machine

REQUANTIZE_PIPELINE = 10
"""One lane of requantization and the buffers around it."""
ARRAY_PIPELINE = 8
"""MAC array: from the last row of x to its accumulators."""
ACCUMULATOR_BYTES = 4
PRODUCT_BITS = 15 + 31
"""Of an accumulator times a multiplier."""

OUTPUT = Record(
    ENTRY_BYTES,
    (
        Scalar("bias", 0, 32, -(2**31), 2**31 - 1, (-(2**16), 2**16)),
        multiplier("b", 4),
        shift("c", 8, PRODUCT_BITS),
    ),
)
"""What precedes the weights of a tile in the stationary buffer, once per output."""
WORD = Record(PARAMETER_BYTES, (multiplier("b", 0), shift("c", 4, PRODUCT_BITS)))
"""The parameter word of a product whose y is in the scratchpad: it has no bias, and one multiplier."""


def packed_bytes(instruction: Matmul, machine: Machine) -> int:
    """Size of a packed y: per L outputs their constants, then whole tiles."""
    depth = ceil_div(instruction.k, machine.depth) * machine.depth
    return ceil_div(instruction.n, machine.lanes) * machine.lanes * (ENTRY_BYTES + depth)


@dataclass(frozen=True, slots=True)
class Matmul(Instruction):
    """out [M, N] = requantized x [M, K] times y [N, K] transposed."""

    x: Annotated[int, field.address(1)]
    y: Annotated[int, field.address(2)]
    out: Annotated[int, field.address(3)]
    m: Annotated[int, field.count(4, 0)]
    k: Annotated[int, field.count(4, 16)]
    n: Annotated[int, field.count(5, 0)]
    x_stride: Annotated[int, field.stride(5, 16)]
    y_stride: Annotated[int, field.stride(6, 0)]
    out_stride: Annotated[int, field.stride(6, 16)]
    layout: Annotated[Layout, field.choice(0, 9, 2, Layout.PACKED, Layout.DEPTH_MAJOR)] = Layout.PACKED
    x16: Annotated[bool, field.flag(0)] = False
    out16: Annotated[bool, field.flag(3)] = False
    param: Annotated[int, field.PARAM] = 0

    opcode: ClassVar = 4
    queue: ClassVar = Unit.ARRAY
    operands: ClassVar = (
        matrix("x", Element("int8", "x16", "int16"), rows="m", columns="k"),
        Operand(
            "y", BYTE, packed_bytes, space=Space.STATIONARY, aligned=True,
            when=When("layout", (Layout.PACKED,)),
        ),
        matrix("y", INT8, rows="n", columns="k", when=When("layout", (Layout.LANE_MAJOR,))),
        matrix("y", INT8, rows="k", columns="n", when=When("layout", (Layout.DEPTH_MAJOR,))),
        parameter_word(
            WORD,
            when=When("layout", (Layout.LANE_MAJOR, Layout.DEPTH_MAJOR)),
        ),
        matrix("out", Element("int8", "out16", "int16"), rows="m", columns="n", write=True),
    )  # fmt: skip
    limits: ClassVar = (Limit("m", high="accumulator_rows"),)
    costs: ClassVar = (Cost("requantize", 2, 1, ("m", "n"), "bias, rounding; the dyadic multiplier"),)

    @staticmethod
    def unit_cycles(tile: int, tiles: int, m: int) -> int:
        """Load the first tile, stream the rows past every tile while the next one loads, drain the rows."""
        return tile + tiles * max(m, tile) + m + ARRAY_PIPELINE + REQUANTIZE_PIPELINE

    def quantities(self, machine: Machine) -> tuple[int, ...]:
        return self.tile_rows(machine), self.tiles(machine), self.m

    def tile_rows(self, machine: Machine) -> int:
        """Cycles to load one stationary tile: a row of it per cycle."""
        return machine.depth if self.layout is Layout.DEPTH_MAJOR else machine.lanes

    @property
    def passes(self) -> int:
        """Times that a tile is streamed past: int16 x goes byte by byte."""
        return 2 if self.x16 else 1

    def tiles(self, machine: Machine) -> int:
        """Stationary tiles that it streams its rows past, both passes of int16 x counted."""
        return ceil_div(self.n, machine.lanes) * ceil_div(self.k, machine.depth) * self.passes

    @property
    def macs(self) -> int:
        return self.m * self.n * self.k

    def work(self, machine: Machine) -> dict[str, int]:
        return {"mac": self.macs * self.passes, "requantize": self.m * self.n}

    def moved(self, machine: Machine) -> Moved:
        """As the array moves them, all tiles whole (`emu.traffic`)."""
        lanes, depth, m, tiles = machine.lanes, machine.depth, self.m, self.tiles(machine)
        packed = self.layout is Layout.PACKED
        operand = "weights" if packed else "activations"
        x, y = tiles * m * depth, tiles * lanes * depth
        sums = tiles * m * lanes * ACCUMULATOR_BYTES
        found: Moved = {("scratchpad", "activations", "read"): x + (0 if packed else y)}
        if packed:
            entries = ceil_div(self.n, lanes) * lanes * ENTRY_BYTES
            found["stationary", "weights", "read"] = y + entries
        else:
            found["constants", "constants", "read"] = PARAMETER_BYTES
        found["accumulator", "partial sums", "read"] = found["accumulator", "partial sums", "write"] = sums
        found["scratchpad", "activations", "write"] = m * self.n * (2 if self.out16 else 1)
        for kind, written in ((operand, y), ("activations", x)):
            for way, size in (("write", written), ("read", tiles * m * lanes * depth)):
                key = "registers", kind, way
                found[key] = found.get(key, 0) + size
        return found

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        """out = requantize(x y^T + bias, b, c); y is read where and as `layout` says."""
        from intarsia.model.integer import arithmetic, kernels

        x, y = of["x"], of["y"]
        bias: NDArray[np.int32] | None = None
        if self.layout is Layout.PACKED:
            y, entries = self.unpacked(y, machine)
            values = OUTPUT.checked(entries)
            bias, b, c = (values[name].copy() for name in ("bias", "b", "c"))
        else:
            y = y if self.layout is Layout.LANE_MAJOR else y.T
            b, c = np.array([of["b"]]), np.array([of["c"]])
        bits = 16 if self.out16 else 8
        if self.x16 or b.min() == -(2**31):  # the kernels take neither
            return arithmetic.requantize(_accumulate(x, y, bias), b, c, out_bits=bits)
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        return kernels.linear(x, y, bias, _scalar(b), _scalar(c), out_bits=bits)

    def unpacked(self, packed: NDArray[np.uint8], machine: Machine) -> tuple[Any, Any]:
        """Weights int8 [N, K] and OUTPUT [N] of the tiles in the stationary buffer."""
        lanes, depth = machine.lanes, machine.depth
        tiles = packed.reshape(ceil_div(self.n, lanes), -1)
        heads, bodies = tiles[:, : lanes * OUTPUT.size], tiles[:, lanes * OUTPUT.size :]
        entries = np.ascontiguousarray(heads).view(OUTPUT.dtype).reshape(-1)[: self.n]
        weights = bodies.view(np.int8).reshape(len(tiles), -1, lanes, depth).swapaxes(1, 2)
        return weights.reshape(len(tiles) * lanes, -1)[: self.n, : self.k], entries


def mac_array_unit(m: int, tiles: int, tile: int) -> int:
    """Cycles of the array without the requantizer behind it."""
    return Matmul.unit_cycles(tile, tiles, m) - REQUANTIZE_PIPELINE


def requantize_unit(rows: int) -> int:
    """Cycles of the requantizer by itself: one vector per cycle."""
    return rows + REQUANTIZE_PIPELINE


def _accumulate(x: Any, y: Any, bias: NDArray[np.int32] | None) -> NDArray[np.int32]:
    """x y^T + bias in int32, which wraps.

    Every sum of float64 is exact: it stays below 2^15 * 2^7 * 2^16.
    """
    total = (x.astype(np.float64) @ y.astype(np.float64).T).astype(np.int64)
    return (total if bias is None else total + bias).astype(np.int32)


def _scalar(values: Any) -> Any:
    return int(values[0]) if values.size == 1 else values
