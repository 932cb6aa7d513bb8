"""The parameter words: one memory whose readers take turns."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from intarsia.arch.machine import PARAMETER_BYTES, PARAMETERS_BYTES
from intarsia.hw.interfaces.ports import LINE_BYTES, READ_LATENCY, Shape, write_port
from intarsia.hw.lib.one_hot import first_of, of_one
from intarsia.hw.memory.line_memory import LineMemory

PARAMETER_BITS = 8 * PARAMETER_BYTES
INDEX_BITS = ceil_log2(PARAMETERS_BYTES // PARAMETER_BYTES)


class ParameterMemory(wiring.Component):
    """Every reader gets the word that it asked for, and keeps it until it asks again.

    Parameters
    ----------
    write : shape of the write port, which is in the clock domain `write`, as of `LineMemory`
    readers : who ask now and then

    Members
    -------
    write : In(write_port)
    ask, index : In per reader, a word is wanted; the index is held until it is there
    word : Out(128) per reader

    Timing: the word comes READ_LATENCY + 1 cycles after it was asked for, and one later for every reader
    before this one that asks at the same time; each asks again only when all have had their turn.
    """

    def __init__(self, *, write: Shape, readers: int) -> None:
        self.readers = readers
        self.lines = LineMemory(
            lines=PARAMETERS_BYTES // LINE_BYTES,
            write=write,
            reads=(Shape.of(PARAMETER_BYTES, PARAMETER_BYTES),),
        )
        super().__init__(
            {
                "write": In(write_port(write)),
                "ask": In(readers),
                "index": In(INDEX_BITS).array(readers),
                "word": Out(PARAMETER_BITS).array(readers),
            }
        )

    @classmethod
    def latency(cls, readers: int) -> int:
        """Cycles until everybody has the word who asked at the same time."""
        return READ_LATENCY + readers

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.lines = lines = self.lines
        wiring.connect(m, wiring.flipped(self.write), lines.write)
        port = lines.read0
        waiting, open_ = Signal(self.readers), Signal(self.readers)
        m.d.comb += open_.eq(self.ask | waiting)
        turn: Any = Signal(self.readers)
        m.d.comb += turn.eq(first_of(open_))
        m.d.sync += waiting.eq(open_ & ~turn)
        m.d.comb += [
            port.enable.eq(turn.any()),
            port.address.eq(of_one(turn, self.index) * PARAMETER_BYTES),
        ]
        for _ in range(READ_LATENCY):
            later = Signal(self.readers)
            m.d.sync += later.eq(turn)
            turn = later
        for k in range(self.readers):
            with m.If(turn[k]):
                m.d.sync += self.word[k].eq(port.data)
        return m
