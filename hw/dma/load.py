"""LOAD: from DRAM to the memories on the chip."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import Load
from intarsia.hw.dma.beats import Beats
from intarsia.hw.dma.requests import Requests
from intarsia.hw.interfaces.axi import OKAY, checked_width, read_bus
from intarsia.hw.interfaces.instruction import field
from intarsia.hw.interfaces.ports import BUS_ERROR, write_port
from intarsia.hw.interfaces.transfer import chip_shape, log2, ones, shown
from intarsia.hw.lib.lanes import rotated
from intarsia.hw.sequencer.sequencer import PORT


class LoadEngine(wiring.Component):
    """Asks for all bursts of an instruction at once and writes words as they come.

    Parameters
    ----------
    width : bytes of a word of the bus

    Members
    -------
    port : In(PORT), from the sequencer
    bus : Out(read_bus(width))
    memory : Out(write_port(chip_shape(width))), registers but for a rotation of bytes and mask
    space : Out(3), which memory `memory` writes
    stop : In(1), gives the instruction up: what was asked for is taken and dropped. Afterwards, once
        `quiet`, all is as after reset.
    quiet : Out(1), the bus owes nothing
    moved : Out(1), a word is taken in this cycle

    Timing: `start` in cycle t; the first request in t + 2, then one per cycle; a word that comes in
    cycle r is on `memory` in r + 1; `finishing` is high 2 cycles after the last one came. With a memory
    that answers after `latency` cycles: 4 + latency + words. RREADY is always high.

    Errors: ADDRESS_ERROR of a piece beyond 2**32 before it is asked for, BUS_ERROR in the cycle after a
    response other than OKAY or of another id than 0, those of `memory` in the cycle in which they come.
    """

    def __init__(self, *, width: int) -> None:
        self.width = checked_width(width)
        super().__init__(
            {
                "port": In(PORT),
                "bus": Out(read_bus(width)),
                "memory": Out(write_port(chip_shape(width))),
                "space": Out(3),
                "stop": In(1),
                "quiet": Out(1),
                "moved": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.requests = requests = Requests(width=self.width)
        beats = Beats(width=self.width)
        m.submodules.beats = ResetInserter(self.stop)(beats)
        wiring.connect(m, requests.channel, wiring.flipped(self.bus.ar))
        answer = self.bus.r
        transfer = shown(m, self.port.instruction, self.port.base)
        for part in (requests, beats):
            m.d.comb += [part.transfer.eq(transfer), part.start.eq(self.port.start)]
        m.d.sync += self.space.eq(field(self.port.instruction, Load, "space"))
        m.d.comb += [
            requests.stop.eq(self.stop),
            requests.answered.eq(answer.valid & answer.last),
            beats.next.eq(answer.valid),
            answer.ready.eq(1),
            self.moved.eq(answer.valid),
            self.quiet.eq(requests.owed == 0),
        ]

        # A word, as it came, and what becomes of it.
        wanted, bad = Signal(), Signal()
        word, places = Signal(8 * self.width), Signal(log2(self.width))
        count = Signal.like(beats.count)
        ending = Signal(2)
        m.d.comb += wanted.eq(answer.valid & beats.valid & ~self.stop)
        m.d.sync += [
            ending.eq(Cat(wanted & beats.end, Mux(self.stop, 0, ending[0]))),
            bad.eq(wanted & ((answer.resp != OKAY) | answer.id)),
            self.memory.enable.eq(0),
        ]
        with m.If(wanted):
            m.d.sync += [
                word.eq(answer.data),
                places.eq(beats.place - beats.first),
                self.memory.address.eq(beats.place),
                self.memory.enable.eq(beats.lines),
                count.eq(beats.count),
            ]
        m.d.comb += [
            self.memory.data.eq(rotated(m, word, places)),
            self.memory.mask.eq(rotated(m, ones(count, self.width), self.memory.address, unit=1)),
            self.port.finishing.eq(ending[1]),
            self.port.error.eq(
                Mux(self.memory.error != 0, self.memory.error, Mux(bad, BUS_ERROR, requests.error))
            ),
        ]
        return m
