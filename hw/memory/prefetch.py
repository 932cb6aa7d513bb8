"""Reads ahead of the unit that consumes what is read."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from intarsia.hw.interfaces.ports import ADDRESS_BITS, ERROR_BITS, READ_LATENCY, Shape, read_port
from intarsia.hw.lib.lanes import rotated, touched

DEPTH = READ_LATENCY + 2
"""Beats on their way: enough for one per cycle."""


class Prefetch(wiring.Component):
    """Turns addresses into the bytes that stand there, in order, one beat per cycle.

    Parameters
    ----------
    shape : of the port
    size : bytes of a beat
    alignment : power of two up to 16 of which all addresses are multiples
    tag_bits : that travel along

    Members
    -------
    i : In(stream), {address : 32, size, tag}: of a beat's bytes the first `size` are read, at least one
        unless `size` is 0; i.ready depends on registers only
    o : Out(stream), {data : 8 * size, tag}; bytes that were not read are undefined
    port : Out(read_port(shape));  error : Out(ERROR_BITS), of a request of the cycle before

    Timing: a beat may leave READ_LATENCY + 1 cycles after its address came.
    """

    def __init__(self, shape: Shape, *, size: int, alignment: int, tag_bits: int = 0) -> None:
        if Shape.of(size, alignment) | shape != shape:
            raise ValueError(f"{size} bytes at multiples of {alignment} want more than {shape}")
        self.shape, self.size, self.alignment = shape, size, alignment
        request = {"address": ADDRESS_BITS, "size": range(size + 1), "tag": tag_bits}
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout(request))),
                "o": Out(stream.Signature(data.StructLayout({"data": 8 * size, "tag": tag_bits}))),
                "port": Out(read_port(shape)),
                "error": Out(ERROR_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        request = self.i.payload
        tag_bits = len(request.tag)
        first = request.address[: exact_log2(self.shape.lanes)]  # lane
        taken, given = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        on_way = Signal(range(DEPTH + 1))
        m.d.sync += on_way.eq(on_way + taken - given)
        m.d.comb += [
            self.i.ready.eq(on_way != DEPTH),
            self.port.address.eq(request.address),
            self.error.eq(self.port.error),
        ]
        with m.If(taken & (request.size != 0)):
            m.d.comb += self.port.enable.eq(touched(request.address, request.size, self.shape.lines))

        late = data.StructLayout({"valid": 1, "first": len(first), "tag": tag_bits})
        before: Any = Signal(late, name="late0")
        m.d.comb += [before.valid.eq(taken), before.first.eq(first), before.tag.eq(request.tag)]
        for k in range(READ_LATENCY):
            stage = Signal(late, name=f"late{k + 1}")
            m.d.sync += stage.eq(before)
            before = stage
        m.submodules.fifo = fifo = SyncFIFO(width=8 * self.size + tag_bits, depth=DEPTH)
        # The first lane comes first; lanes are turned up by what is missing.
        turned = rotated(m, self.port.data, -before.first, alignment=min(self.alignment, self.shape.lanes))
        m.d.comb += [
            fifo.w_en.eq(before.valid),
            fifo.w_data.eq(Cat(turned[: 8 * self.size], before.tag)),
            self.o.valid.eq(fifo.r_rdy),
            self.o.payload.eq(fifo.r_data),
            fifo.r_en.eq(self.o.ready),
        ]
        return m
