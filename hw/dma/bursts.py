"""The bursts of a transfer: which words of the bus its pieces touch."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.axi import ADDRESS_BITS, checked_width
from intarsia.hw.interfaces.transfer import TRANSFER, block_shift, log2
from intarsia.hw.lib.nest import Nest


class Bursts(wiring.Component):
    """Every piece has its own bursts, which cover just the words of the bus that its bytes touch.

    A burst ends with its piece or before the next multiple of min(4096, 256 words), so it crosses no
    page and has at most 256 beats.

    Parameters
    ----------
    width : bytes of a word of the bus

    Members
    -------
    transfer : In(TRANSFER), as of `shown`
    start : In(1), the next cycle shows the first burst
    next : In(1), go on to the one after it
    valid : Out(1), a burst is shown
    address : Out(32), of its first word;  length : Out(8), its beats less one
    beyond : Out(1), the piece of this burst does not end within 2**32 bytes

    Timing: one burst per cycle; two additions of 32 bits and a comparison.
    """

    def __init__(self, *, width: int) -> None:
        self.width = checked_width(width)
        super().__init__(
            {
                "transfer": In(TRANSFER),
                "start": In(1),
                "next": In(1),
                "valid": Out(1),
                "address": Out(ADDRESS_BITS),
                "length": Out(8),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pieces = pieces = Nest(count_bits=(16, 16))
        word, block = log2(self.width), block_shift(self.width)
        fresh = Signal(init=1)  # this is the first burst of its piece
        following = Signal(ADDRESS_BITS - block)  # the block after that of the burst before
        here, end = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS + 1)
        ends = Signal()
        m.d.comb += [
            pieces.origin.eq(self.transfer.dram),
            pieces.step[0].eq(self.transfer.dram_stride1),
            pieces.step[1].eq(self.transfer.dram_stride2),
            pieces.count0.eq(self.transfer.count1),
            pieces.count1.eq(self.transfer.count2),
            pieces.start.eq(self.start),
            pieces.next.eq(self.next & ends),
            here.eq(Mux(fresh, pieces.address, Cat(Const(0, block), following))),
            end.eq(pieces.address + (self.transfer.size - 1)[:ADDRESS_BITS]),
            ends.eq(here[block:] == end[block:ADDRESS_BITS]),
            self.valid.eq(pieces.valid),
            self.address.eq(Cat(Const(0, word), here[word:])),
            self.length.eq(Mux(ends, end[word:block], ~Const(0, block - word)) - here[word:block]),
            self.beyond.eq(pieces.beyond | end[-1]),
        ]
        with m.If(self.start):
            m.d.sync += fresh.eq(1)
        with m.Elif(self.next & self.valid):
            m.d.sync += [fresh.eq(ends), following.eq(here[block:] + 1)]
        return m
