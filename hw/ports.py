"""Ports of the on-chip memories: windows of W bytes that begin at a line of 16."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LINE_BYTES = 16
LINE_BITS = 28
"""Lines of 16 bytes in 2**32."""
READ_LATENCY = 2
"""Cycles from a request to its data: the memory, and a register behind it."""
WRITE_LATENCY = 2
"""Cycles from a request to the first one that may read what it wrote: a register, and the memory."""
ERROR_BITS = 4
ADDRESS_ERROR = 3
BUS_ERROR = 4
PORT_ERROR = 5
"""Codes of docs/machine.md, section 8; 1 and 2 are in `hw.instruction`."""


def read_port(word: int) -> wiring.Signature:
    """Of a reader of windows of `word` bytes.

    line : number of the window's first line;  enable : per line of the window, whether it is read
    data : what stands there, READ_LATENCY cycles later; lines that were not read are undefined
    error : a cycle later, 0 or a code of docs/machine.md, section 8: beyond the memory, or a bank that
        another port reads in the same cycle
    """
    return wiring.Signature(
        {
            "line": Out(LINE_BITS),
            "enable": Out(word // LINE_BYTES),
            "data": In(8 * word),
            "error": In(ERROR_BITS),
        }
    )


def write_port(word: int) -> wiring.Signature:
    """Of a writer of windows of `word` bytes.

    line : number of the window's first line;  mask : per byte of the window, whether it is written
    data : the bytes; whoever reads WRITE_LATENCY cycles later finds them
    error : a cycle later, as of `read_port`
    """
    return wiring.Signature(
        {
            "line": Out(LINE_BITS),
            "mask": Out(word),
            "data": Out(8 * word),
            "error": In(ERROR_BITS),
        }
    )
