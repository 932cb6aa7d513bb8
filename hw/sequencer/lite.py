"""The subordinate's side of AXI4-Lite: one access at a time, as plain writes and reads."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.axi import OKAY, SLVERR, lite_bus
from intarsia.hw.interfaces.stream import Buffer


class Lite(wiring.Component):
    """Buffers all channels, so that no path leads through it, and pairs addresses with data.

    Parameters
    ----------
    address_bits

    Members
    -------
    bus : In(lite_bus(address_bits))
    write : Out(1), write_address, write_data : Out, an access that has all of its bytes, for one cycle
    refused : In(1), in the same cycle, it is answered with SLVERR, as are all that lack bytes
    read_address : Out;  read_data : In(32), what stands there, combinationally

    Timing: one write and one read per cycle; a write is seen a cycle after the later of its address and
    its data was taken, its answer a cycle after that.
    """

    def __init__(self, *, address_bits: int) -> None:
        self.address_bits = address_bits
        super().__init__(
            {
                "bus": In(lite_bus(address_bits)),
                "write": Out(1),
                "write_address": Out(address_bits),
                "write_data": Out(32),
                "refused": In(1),
                "read_address": Out(address_bits),
                "read_data": In(32),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bus = self.bus
        word = data.StructLayout({"data": 32, "strb": 4})
        m.submodules.aw = aw = Buffer(self.address_bits)
        m.submodules.w = w = Buffer(word)
        m.submodules.b = b = Buffer(2)
        m.submodules.ar = ar = Buffer(self.address_bits)
        m.submodules.r = r = Buffer(32)
        inputs = (
            (aw.i, bus.aw, bus.aw.addr),
            (w.i, bus.w, Cat(bus.w.data, bus.w.strb)),
            (ar.i, bus.ar, bus.ar.addr),
        )
        for stream, channel, payload in inputs:
            m.d.comb += [
                stream.payload.eq(payload),
                stream.valid.eq(channel.valid),
                channel.ready.eq(stream.ready),
            ]
        for stream, channel, payload in ((b.o, bus.b, bus.b.resp), (r.o, bus.r, bus.r.data)):
            m.d.comb += [
                payload.eq(stream.payload),
                channel.valid.eq(stream.valid),
                stream.ready.eq(channel.ready),
            ]
        together = aw.o.valid & w.o.valid & b.i.ready
        whole = w.o.payload.strb.all()
        m.d.comb += [
            aw.o.ready.eq(together),
            w.o.ready.eq(together),
            b.i.valid.eq(together),
            b.i.payload.eq(Mux(self.refused | ~whole, SLVERR, OKAY)),
            self.write.eq(together & whole),
            self.write_address.eq(aw.o.payload),
            self.write_data.eq(w.o.payload.data),
            ar.o.ready.eq(r.i.ready),
            r.i.valid.eq(ar.o.valid),
            self.read_address.eq(ar.o.payload),
            r.i.payload.eq(self.read_data),
            bus.r.resp.eq(OKAY),
        ]
        return m
