"""A memory of lines of 16 bytes that is read and written in windows of several lines."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from hw.ports import ADDRESS_ERROR, LINE_BITS, LINE_BYTES, read_port, write_port

LINE = 8 * LINE_BYTES


class LineMemory(wiring.Component):
    """Windows that begin at any line, because neighbouring lines stand in different columns.

    Line i stands in row i // columns of column i % columns, so a window of at most `columns` lines
    needs one row, or two that follow each other, of which every column takes one.

    The write port is in the clock domain `write`, which has the same clock as `sync`, or one of that clock
    that may stop when nothing is written.

    Parameters
    ----------
    lines : of the memory
    write : bytes of a written window, 16 * 2**k
    reads : bytes of the windows of every read port, multiples of 16

    Members
    -------
    write : In(write_port), read : Out(read_port) per port, seen from the memory
    """

    def __init__(self, *, lines: int, write: int, reads: tuple[int, ...]) -> None:
        self.lines, self.write_bytes, self.read_bytes = lines, write, reads
        self.memories: list[Memory] = []
        self.columns = 1 << ceil_log2(max(write, *reads) // LINE_BYTES)
        members = {f"read{k}": In(read_port(size)) for k, size in enumerate(reads)}
        super().__init__({"write": In(write_port(write)), **members})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = -(-self.lines // self.columns)
        self.memories = memories = [
            Memory(shape=unsigned(LINE), depth=depth, init=[]) for _ in range(self.columns)
        ]
        for k, column in enumerate(memories):
            m.submodules[f"column{k}"] = column
        self._write(m, memories)
        for number in range(len(self.read_bytes)):
            self._read(m, memories, number)
        return m

    def _write(self, m: Module, memories: list[Memory]) -> None:
        port, count = self.write, self.write_bytes // LINE_BYTES
        line = Signal(LINE_BITS, name="written_line")
        mask = Signal(self.write_bytes, name="written_mask")
        data = Signal(8 * self.write_bytes, name="written")
        enable = Cat(port.mask.word_select(k, LINE_BYTES).any() for k in range(count))
        bad = beyond(port.line, enable, self.lines)
        m.d.write += [
            line.eq(port.line),
            mask.eq(Mux(bad, 0, port.mask)),
            port.error.eq(Mux(bad, ADDRESS_ERROR, 0)),
        ]
        with m.If(port.mask.any()):
            m.d.write += data.eq(port.data)
        for k, memory in enumerate(memories):
            target = memory.write_port(domain="write", granularity=8)
            place, row = self._place(line, k)
            m.d.comb += target.addr.eq(row)
            for number in range(count):
                with m.If(place == number):
                    m.d.comb += [
                        target.en.eq(mask.word_select(number, LINE_BYTES)),
                        target.data.eq(data.word_select(number, LINE)),
                    ]

    def _read(self, m: Module, memories: list[Memory], number: int) -> None:
        port, size = getattr(self, f"read{number}"), self.read_bytes[number]
        line = Signal(LINE_BITS, name=f"read_line{number}")
        enable = Signal(size // LINE_BYTES, name=f"read_enable{number}")
        shift = Signal(range(max(self.columns, 2)), name=f"read_shift{number}")
        bad = beyond(port.line, port.enable, self.lines)
        m.d.sync += [
            line.eq(port.line),
            enable.eq(port.enable),
            port.error.eq(Mux(bad, ADDRESS_ERROR, 0)),
            shift.eq(line[: len(shift)]),
        ]
        found = []
        for k, memory in enumerate(memories):
            source = memory.read_port()
            place, row = self._place(line, k)
            m.d.comb += [source.addr.eq(row), source.en.eq(enable.any())]
            found.append(source.data)
        for place in range(size // LINE_BYTES):
            with m.Switch(shift):
                for first in range(self.columns):
                    with m.Case(first):
                        m.d.comb += port.data.word_select(place, LINE).eq(
                            found[(first + place) % self.columns]
                        )

    def _place(self, line: Signal, column: int) -> tuple[Any, Any]:
        """Of a window that begins at `line`: which of its lines is in this column, in which row."""
        bits = ceil_log2(self.columns)
        place = (column - line[:bits])[:bits] if bits else line[:0]
        return place, (line + place)[bits:][: max(ceil_log2(-(-self.lines // self.columns)), 1)]


def beyond(line: Any, enable: Any, lines: int) -> Any:
    """Whether a line of a window that is enabled is none of the memory's."""
    return Cat(bit & (line >= max(lines - k, 0)) for k, bit in enumerate(enable)).any()
