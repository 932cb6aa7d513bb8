"""A memory of lines of 16 bytes that is read and written from any address on."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from intarsia.hw.interfaces.ports import (
    ADDRESS_ERROR,
    LINE_BYTES,
    LINE_SHIFT,
    UNCHECKED,
    Shape,
    read_port,
    write_port,
)
from intarsia.hw.lib.lanes import LINE, folded, in_column, row_of, spread


class LineMemory(wiring.Component):
    """Neighbouring lines stand in different columns: so what a port moves at once needs one row of each.

    Line i stands in row i // columns of column i % columns; of lines that follow each other, as many as
    there are columns, every column takes one.

    The write port is in the clock domain `write`, which has the same clock as `sync`, or one of that clock
    that may stop when nothing is written.

    Parameters
    ----------
    lines : of the memory
    write : shape of the write port;  reads : of every read port

    Members
    -------
    write : In(write_port), read0... : In(read_port)
    """

    def __init__(self, *, lines: int, write: Shape, reads: tuple[Shape, ...]) -> None:
        self.lines, self.write_shape, self.read_shapes = lines, write, reads
        self.memories: list[Memory] = []
        self.columns = 1 << ceil_log2(
            max(max(shape.lines, shape.lanes // LINE_BYTES) for shape in (write, *reads))
        )
        members = {f"read{k}": In(read_port(shape)) for k, shape in enumerate(reads)}
        super().__init__({"write": In(write_port(write)), **members})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = -(-self.lines // self.columns)
        self.memories = memories = [
            Memory(shape=unsigned(LINE), depth=depth, init=[], attrs=UNCHECKED) for _ in range(self.columns)
        ]
        for k, column in enumerate(memories):
            m.submodules[f"column{k}"] = column
        self._write(m, memories)
        for number in range(len(self.read_shapes)):
            self._read(m, memories, number)
        return m

    def _write(self, m: Module, memories: list[Memory]) -> None:
        port = self.write
        address, mask, data = (Signal.like(value) for value in (port.address, port.mask, port.data))
        bad = beyond(port.address[LINE_SHIFT:], port.enable, self.lines)
        m.d.write += [
            mask.eq(Mux(bad | ~port.enable.any(), 0, port.mask)),
            port.error.eq(Mux(bad, ADDRESS_ERROR, 0)),
        ]
        with m.If(port.enable.any()):
            m.d.write += [address.eq(port.address), data.eq(port.data)]
        lanes = LINE_BYTES * self.columns
        chosen = spread(m, mask, address, lanes)
        wide = data.replicate(lanes // len(mask))
        for k, memory in enumerate(memories):
            target = memory.write_port(domain="write", granularity=8)
            m.d.comb += [
                target.addr.eq(row_of(address[LINE_SHIFT:], k, self.columns)),
                target.en.eq(chosen.word_select(k, LINE_BYTES)),
                target.data.eq(wide.word_select(k, LINE)),
            ]

    def _read(self, m: Module, memories: list[Memory], number: int) -> None:
        port, shape = getattr(self, f"read{number}"), self.read_shapes[number]
        line = port.address[LINE_SHIFT:]
        offset = Signal(ceil_log2(LINE_BYTES * self.columns), name=f"offset{number}")
        bad = beyond(line, port.enable, self.lines)
        m.d.sync += [port.error.eq(Mux(bad, ADDRESS_ERROR, 0)), offset.eq(port.address)]
        found = []
        for k, memory in enumerate(memories):
            source = memory.read_port()
            m.d.comb += [
                source.addr.eq(row_of(line, k, self.columns)),
                source.en.eq(in_column(line, port.enable, k, self.columns)),
            ]
            found.append(source.data)
        m.d.sync += port.data.eq(folded(m, Cat(found), offset, shape.lanes))


def beyond(line: Any, enable: Any, lines: int) -> Any:
    """Whether a line from `line` on that is enabled is none of the memory's."""
    return Cat(bit & (line >= max(lines - k, 0)) for k, bit in enumerate(enable)).any()
