"""Ports of the on-chip memories: so many bytes from any address on, on lanes as of a bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

LINE_BYTES = 16
LINE_SHIFT = exact_log2(LINE_BYTES)
ADDRESS_BITS = 32
READ_LATENCY = 2
"""Cycles from a request to its data: the memory, and a register behind it."""
WRITE_LATENCY = 2
"""Cycles from a request to the first one that may read what it wrote: a register, and the memory."""
UNCHECKED = {"no_rw_check": 1}
"""Attributes of a memory of which no row is read in the cycle in which it is written, or to no avail:
synthesis need not provide for it."""
ERROR_BITS = 4
ADDRESS_ERROR = 3
BUS_ERROR = 4
PORT_ERROR = 5
"""Codes of docs/machine.md, section 8; 1 and 2 are in `hw.interfaces.instruction`."""


@dataclass(frozen=True)
class Shape:
    """What a port moves at once.

    lanes : bytes, a power of two. The byte of address a is on lane a % lanes, so what a port moves never
        has to be shifted on its way, only chosen
    lines : of 16 bytes, that a request touches at most
    """

    lanes: int
    lines: int

    @classmethod
    def of(cls, size: int, alignment: int) -> Shape:
        """For `size` bytes from multiples of `alignment` on, a power of two up to 16."""
        return cls(1 << ceil_log2(size), -(-(LINE_BYTES - alignment + size) // LINE_BYTES))

    def __or__(self, other: Shape) -> Shape:
        """For either."""
        return Shape(max(self.lanes, other.lanes), max(self.lines, other.lines))


def read_port(shape: Shape) -> wiring.Signature:
    """Of a reader.

    address : of the first byte;  enable : per line from the first one on, whether it is read; those that
        are come first
    data : by lane, READ_LATENCY cycles later; what was not read is undefined
    error : a cycle later, 0 or a code of docs/machine.md, section 8: beyond the memory, or a bank that
        another port reads in the same cycle
    """
    return wiring.Signature(
        {
            "address": Out(ADDRESS_BITS),
            "enable": Out(shape.lines),
            "data": In(8 * shape.lanes),
            "error": In(ERROR_BITS),
        }
    )


def write_port(shape: Shape) -> wiring.Signature:
    """Of a writer.

    address, enable : as of `read_port`;  mask : by lane, whether a byte is written, if `enable` is not 0
    data : by lane; whoever reads WRITE_LATENCY cycles later finds it
    error : a cycle later, as of `read_port`
    """
    return wiring.Signature(
        {
            "address": Out(ADDRESS_BITS),
            "enable": Out(shape.lines),
            "mask": Out(shape.lanes),
            "data": Out(8 * shape.lanes),
            "error": In(ERROR_BITS),
        }
    )


def shape_of(port: Any) -> Shape:
    """Of a reader's or writer's port."""
    return Shape(len(port.data) // 8, len(port.enable))
