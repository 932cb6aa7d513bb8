"""The scratchpad as one memory with many ports, which simulates fast; equal to `hw.memory.scratchpad`."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value, unsigned
from amaranth.lib.memory import Memory
from amaranth.utils import ceil_log2

from intarsia.hw.interfaces.ports import LINE_BYTES, LINE_SHIFT, Shape
from intarsia.hw.lib.lanes import LINE, folded, in_column, row_of, spread
from intarsia.hw.memory.scratchpad import Scratchpad, Written


class FlatScratchpad(Scratchpad):
    """Behaves as `Scratchpad` in every cycle that has no error."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = self.memory = memory = Memory(
            shape=unsigned(LINE), depth=self.machine.scratchpad_bytes // LINE_BYTES, init=[]
        )
        for k, (port, shape) in enumerate(zip(self.read, self.reads, strict=True)):
            self._look(m, port, shape, memory, self.domains[k])
        written = zip(self.check(m), self.writes, self.domains[len(self.reads) :], strict=True)
        for request, shape, domain in written:
            self._put(m, request, shape, memory, domain)
        return m

    def _look(self, m: Module, port: Any, shape: Shape, memory: Memory, domain: str) -> None:
        line, columns = port.address[LINE_SHIFT:], columns_of(shape)
        offset = Signal(ceil_log2(LINE_BYTES * columns))
        found = []
        for column in range(columns):
            source = memory.read_port(domain=domain)
            m.d.comb += [
                source.en.eq(in_column(line, port.enable, column, columns)),
                source.addr.eq(_line(line, column, columns)),
            ]
            found.append(source.data)
        m.d[domain] += [offset.eq(port.address), port.data.eq(folded(m, Cat(found), offset, shape.lanes))]

    def _put(self, m: Module, request: Written, shape: Shape, memory: Memory, domain: str) -> None:
        line, columns = request.address[LINE_SHIFT:], columns_of(shape)
        lanes = LINE_BYTES * columns
        mask = spread(m, request.mask, request.address, lanes)
        data = request.data.replicate(lanes // shape.lanes)
        for column in range(columns):
            target = memory.write_port(domain=domain, granularity=8)
            here = in_column(line, request.enable, column, columns)
            m.d.comb += [
                target.en.eq(here.replicate(LINE_BYTES) & mask.word_select(column, LINE_BYTES)),
                target.addr.eq(_line(line, column, columns)),
                target.data.eq(data.word_select(column, LINE)),
            ]


def columns_of(shape: Shape) -> int:
    """In which its lines stand in turn: as few as it needs."""
    return 1 << ceil_log2(max(shape.lines, shape.lanes // LINE_BYTES))


def _line(line: Value, column: int, columns: int) -> Value:
    """The one that stands in this column, of those from `line` on."""
    return Cat(Const(column, ceil_log2(columns)), row_of(line, column, columns))
