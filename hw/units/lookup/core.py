"""Pixels to the numbers that the network expects: a table per channel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.machine import TABLE_BYTES
from intarsia.hw.interfaces.ports import LINE_BYTES, READ_LATENCY, Shape, write_port
from intarsia.hw.memory.line_memory import LineMemory

CHANNELS = 3
ENTRIES = TABLE_BYTES // CHANNELS


class Lookup(wiring.Component):
    """target[r, i] = table[i % 3, source[r, i]].

    Parameters
    ----------
    lanes : pixels per beat, a power of two
    filled : shape of the port that fills the table

    Members
    -------
    command : In(stream), {rows, beats}, beats of a row
    i : In(stream), uint8 by lane; every row begins a beat
    o : Out(stream), int8 by lane; must always be taken
    table : In(write_port(filled)), int8 [3, 256]

    Timing: one beat per cycle, LATENCY cycles; no beat is taken before a command.
    """

    LATENCY = READ_LATENCY + 1

    def __init__(self, *, lanes: int, filled: Shape) -> None:
        self.lanes = lanes
        self.memory = LineMemory(
            lines=TABLE_BYTES // LINE_BYTES, write=filled, reads=(Shape.of(1, 1),) * lanes
        )
        super().__init__(
            {
                "command": In(stream.Signature(data.StructLayout({"rows": 16, "beats": 17}))),
                "i": In(stream.Signature(data.ArrayLayout(8, lanes))),
                "o": Out(stream.Signature(data.ArrayLayout(8, lanes))),
                "table": In(write_port(filled)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.table = table = self.memory
        wiring.connect(m, wiring.flipped(self.table), table.write)
        beats, beat, rows = Signal(17), Signal(17), Signal(16)
        channel = Signal(range(CHANNELS))
        taken = self.i.valid & self.i.ready
        m.d.comb += [self.command.ready.eq(1), self.i.ready.eq(rows != 0)]
        with m.If(self.command.valid):
            m.d.sync += [
                beats.eq(self.command.payload.beats),
                rows.eq(self.command.payload.rows),
                beat.eq(0),
                channel.eq(0),
            ]
        with m.Elif(taken):
            last = beat == beats - 1
            step = self.lanes % CHANNELS
            following = Mux(channel >= CHANNELS - step, channel - (CHANNELS - step), channel + step)
            m.d.sync += [
                beat.eq(Mux(last, 0, beat + 1)),
                channel.eq(Mux(last, 0, following)),
                rows.eq(rows - last),
            ]
        valid = Signal(self.LATENCY)
        m.d.sync += valid.eq(Cat(taken, valid[:-1]))
        m.d.comb += self.o.valid.eq(valid[-1])
        for lane in range(self.lanes):
            port = getattr(table, f"read{lane}")
            at = Signal(range(CHANNELS + CHANNELS), name=f"channel{lane}")
            shift = lane % CHANNELS
            m.d.comb += at.eq(
                Mux(channel >= CHANNELS - shift, channel - (CHANNELS - shift), channel + shift)
            )
            m.d.comb += [
                port.address.eq(at * ENTRIES + self.i.payload[lane]),
                port.enable.eq(taken),
            ]
            m.d.sync += self.o.payload[lane].eq(port.data)
        return m
