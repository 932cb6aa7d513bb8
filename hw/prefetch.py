"""Reads windows ahead of the unit that consumes them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.ports import ERROR_BITS, LINE_BYTES, READ_LATENCY, read_port

DEPTH = READ_LATENCY + 2
"""Windows on their way: enough for one per cycle."""


class Prefetch(wiring.Component):
    """Turns addresses into the bytes that stand there, in order, one beat per cycle.

    Parameters
    ----------
    window : bytes that the port reads at once
    size : bytes of a beat
    alignment : power of two up to 16 of which all addresses are multiples;
        size <= window - 16 + alignment
    tag_bits : that travel along

    Members
    -------
    i : In(stream), {address : 32, size, tag}: of a beat's bytes the first `size` are read, at least one
        unless `size` is 0; i.ready depends on registers only
    o : Out(stream), {data : 8 * size, tag}; bytes that were not read are undefined
    port : Out(read_port(window));  error : Out(ERROR_BITS), of a request of the cycle before

    Timing: a beat may leave READ_LATENCY + 1 cycles after its address came.
    """

    def __init__(self, *, window: int, size: int, alignment: int, tag_bits: int = 0) -> None:
        if size > window - LINE_BYTES + alignment:
            raise ValueError(f"{size} bytes at multiples of {alignment} do not fit a window of {window}")
        self.window, self.size, self.alignment = window, size, alignment
        super().__init__(
            {
                "i": In(
                    stream.Signature(
                        data.StructLayout({"address": 32, "size": range(size + 1), "tag": tag_bits})
                    )
                ),
                "o": Out(stream.Signature(data.StructLayout({"data": 8 * size, "tag": tag_bits}))),
                "port": Out(read_port(window)),
                "error": Out(ERROR_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        request = self.i.payload
        tag_bits = len(request.tag)
        offset = request.address[:4]
        taken, given = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        on_way = Signal(range(DEPTH + 1))
        m.d.sync += on_way.eq(on_way + taken - given)
        end = Signal(range(self.size + LINE_BYTES))
        m.d.comb += [
            self.i.ready.eq(on_way != DEPTH),
            end.eq(offset + request.size),
            self.port.line.eq(request.address[4:]),
            self.error.eq(self.port.error),
        ]
        for k in range(len(self.port.enable)):
            m.d.comb += self.port.enable[k].eq(taken & (request.size != 0) & (end > k * LINE_BYTES))

        late = data.StructLayout({"valid": 1, "offset": 4, "tag": tag_bits})
        before: Any = Signal(late, name="late0")
        m.d.comb += [before.valid.eq(taken), before.offset.eq(offset), before.tag.eq(request.tag)]
        for k in range(READ_LATENCY):
            stage = Signal(late, name=f"late{k + 1}")
            m.d.sync += stage.eq(before)
            before = stage
        m.submodules.fifo = fifo = SyncFIFO(width=8 * self.size + tag_bits, depth=DEPTH)
        found = Signal(8 * self.size)
        starts = range(0, LINE_BYTES, self.alignment)
        with m.Switch(before.offset):
            for start in starts:
                with m.Case(start):
                    m.d.comb += found.eq(self.port.data[8 * start : 8 * (start + self.size)])
        m.d.comb += [
            fifo.w_en.eq(before.valid),
            fifo.w_data.eq(Cat(found, before.tag)),
            self.o.valid.eq(fifo.r_rdy),
            self.o.payload.eq(fifo.r_data),
            fifo.r_en.eq(self.o.ready),
        ]
        return m
