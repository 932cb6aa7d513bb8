"""STORE: from the scratchpad to DRAM."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth.hdl import Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from intarsia.hw.dma.beats import Beats
from intarsia.hw.dma.requests import OWED_BITS, Requests
from intarsia.hw.interfaces.axi import OKAY, checked_width, write_bus
from intarsia.hw.interfaces.ports import BUS_ERROR, READ_LATENCY, read_port
from intarsia.hw.interfaces.transfer import chip_shape, log2, ones, shown
from intarsia.hw.lib.lanes import rotated
from intarsia.hw.sequencer.sequencer import PORT

AHEAD = 2 + READ_LATENCY
"""Words read and not yet taken: enough for one per cycle."""


class StoreEngine(wiring.Component):
    """Asks for all bursts of an instruction at once and reads words as the bus takes them.

    Parameters
    ----------
    width : bytes of a word of the bus

    Members
    -------
    port : In(PORT), from the sequencer; the instruction is held until `quiet` where `stop` comes
    bus : Out(write_bus(width))
    memory : Out(read_port(chip_shape(width)))
    stop : In(1), gives the instruction up: bursts that were asked for get their words, those not yet
        read without a byte that is written. Afterwards, once `quiet`, all is as after reset.
    quiet : Out(1), bus and engine owe each other nothing
    moved : Out(1), a word is taken in this cycle

    Timing: `start` in cycle t; the first word is read in t + 1, its burst asked for in t + 2, the word
    on the bus in t + 4; then one per cycle while the bus takes them. A word is never on the bus before
    its burst. `finishing` is high, combinationally, while the last response is. With a memory that
    responds `latency` cycles after a burst's last word: 4 + latency + words. BREADY is always high.

    Errors: ADDRESS_ERROR of a piece beyond 2**32 before it is asked for; BUS_ERROR with a response other
    than OKAY or of another id than 0; those of `memory` in the cycle in which they come.
    """

    def __init__(self, *, width: int) -> None:
        self.width = checked_width(width)
        super().__init__(
            {
                "port": In(PORT),
                "bus": Out(write_bus(width)),
                "memory": Out(read_port(chip_shape(width))),
                "stop": In(1),
                "quiet": Out(1),
                "moved": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.requests = requests = Requests(width=self.width)
        response = self.bus.b
        wiring.connect(m, requests.channel, wiring.flipped(self.bus.aw))
        # Given up, but words are missing of bursts that were asked for; then, what was read too much.
        stopped, clear = Signal(), Signal()
        busy = Signal()
        # Bursts asked for, less those whose last word the bus has taken.
        unfilled = Signal(OWED_BITS)
        transfer = shown(m, self.port.instruction, self.port.base)
        filled = self._words(m, transfer, self.stop | stopped, clear, unfilled != 0)
        m.d.comb += [
            requests.transfer.eq(transfer),
            requests.start.eq(self.port.start),
            requests.stop.eq(self.stop),
            requests.answered.eq(response.valid),
            response.ready.eq(1),
            clear.eq(stopped & (unfilled == 0)),
            self.port.finishing.eq(busy & ~requests.more & (requests.owed == 1) & response.valid),
            self.quiet.eq((requests.owed == 0) & ~stopped),
        ]
        m.d.sync += unfilled.eq(unfilled + requests.given - filled)
        with m.If(self.stop):
            m.d.sync += [busy.eq(0), stopped.eq(1)]
        with m.Else():
            with m.If(self.port.start | self.port.finishing):
                m.d.sync += busy.eq(self.port.start)
            with m.If(clear):
                m.d.sync += stopped.eq(0)
        bad = response.valid & ((response.resp != OKAY) | response.id)
        code = Mux(bad, BUS_ERROR, requests.error)
        m.d.comb += self.port.error.eq(Mux(busy, Mux(self.memory.error != 0, self.memory.error, code), 0))
        return m

    def _words(self, m: Module, transfer: Value, empty: Value, clear: Value, allowed: Value) -> Value:
        """Reads words and puts them on the bus while that is `allowed`; whether a burst's last is taken.

        Words read while `empty` go without their bytes; `clear` forgets all.
        """
        beats, bus = Beats(width=self.width), self.bus.w
        m.submodules.beats = ResetInserter(clear)(beats)
        stage = data.StructLayout(
            {
                "valid": 1,
                "places": log2(self.width),
                "first": log2(self.width),
                "count": log2(self.width) + 1,
                "last": 1,
            }
        )
        held = data.StructLayout({"data": 8 * self.width, "strobe": self.width, "last": 1})
        fifo = SyncFIFO(width=held.size, depth=AHEAD)
        m.submodules.fifo = ResetInserter(clear)(fifo)
        ahead = Signal(range(AHEAD + 1))
        read, taken = Signal(), Signal()
        m.d.comb += [
            beats.transfer.eq(transfer),
            beats.start.eq(self.port.start),
            read.eq(beats.valid & (ahead != AHEAD)),
            beats.next.eq(read),
            self.memory.address.eq(beats.place),
        ]
        with m.If(read):
            m.d.comb += self.memory.enable.eq(beats.lines)
        # Follow the word through the memory.
        stages = [Signal(stage, name=f"stage{k}") for k in range(READ_LATENCY + 1)]
        m.d.comb += [
            stages[0].valid.eq(read),
            stages[0].places.eq(beats.first - beats.place),
            stages[0].first.eq(beats.first),
            stages[0].count.eq(beats.count),
            stages[0].last.eq(beats.last),
        ]
        for before, after in pairwise(stages):
            m.d.sync += [after.eq(before), after.valid.eq(before.valid & ~clear)]
        entry, shown = Signal(held), Signal(held)
        m.d.comb += [
            entry.data.eq(rotated(m, self.memory.data, stages[-1].places)),
            entry.strobe.eq(Mux(empty, 0, ones(stages[-1].count, self.width) << stages[-1].first)),
            entry.last.eq(stages[-1].last),
            fifo.w_data.eq(entry),
            fifo.w_en.eq(stages[-1].valid),
            shown.eq(fifo.r_data),
            bus.data.eq(shown.data),
            bus.strb.eq(shown.strobe),
            bus.last.eq(shown.last),
            bus.valid.eq(fifo.r_rdy & allowed),
            taken.eq(bus.valid & bus.ready),
            fifo.r_en.eq(taken),
            self.moved.eq(taken),
        ]
        m.d.sync += ahead.eq(Mux(clear, 0, ahead + read - taken))
        return taken & shown.last
