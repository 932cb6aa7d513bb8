"""The words of the bus that a transfer moves, one after the other, and where their bytes belong."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.axi import checked_width
from intarsia.hw.interfaces.ports import ADDRESS_BITS
from intarsia.hw.interfaces.transfer import TRANSFER, block_shift, chip_shape, log2
from intarsia.hw.lib.lanes import touched
from intarsia.hw.lib.nest import Nest


class Beats(wiring.Component):
    """Per word of the bus: which of its bytes belong to the transfer, and where the first of them is.

    Parameters
    ----------
    width : bytes of a word of the bus

    Members
    -------
    transfer : In(TRANSFER), as of `shown`
    start : In(1), the next cycle shows the first word
    next : In(1), go on to the one after it
    valid : Out(1), a word is shown
    first : Out, index of its first byte that is moved, below `width`
    count : Out, bytes that are moved, 1..width
    place : Out(32), where the first of them is in the on-chip memory
    lines : Out, per line from there on, whether one of them is in it
    last : Out(1), the word ends its burst;  end : Out(1), it is the last of all

    Timing: one word per cycle. Places do not wrap unnoticed: no memory on the chip is larger than 2**30
    bytes and no step than 2**16, so one beyond the memory comes first.
    """

    def __init__(self, *, width: int) -> None:
        self.width = checked_width(width)
        super().__init__(
            {
                "transfer": In(TRANSFER),
                "start": In(1),
                "next": In(1),
                "valid": Out(1),
                "first": Out(log2(width)),
                "count": Out(log2(width) + 1),
                "place": Out(ADDRESS_BITS),
                "lines": Out(chip_shape(width).lines),
                "last": Out(1),
                "end": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.source = source = Nest(count_bits=(16, 16))
        m.submodules.target = target = Nest(count_bits=(16, 16))
        word, block = log2(self.width), block_shift(self.width)
        fresh = Signal(init=1)  # this is the first word of its piece
        place = Signal(ADDRESS_BITS)
        number, position = Signal(block - word), Signal(block - word)  # of the word in its block
        left, reach = Signal(33), Signal(33)  # bytes from the word's first to the piece's last
        short, ends = Signal(word + 2), Signal()
        few = word + 1  # bits of what a word has at most
        many = Mux(fresh, self.transfer.size[few:].any(), left[few:].any()).replicate(len(self.lines))
        m.d.comb += [
            source.origin.eq(self.transfer.dram),
            source.step[0].eq(self.transfer.dram_stride1),
            source.step[1].eq(self.transfer.dram_stride2),
            target.origin.eq(self.transfer.address),
            target.step[0].eq(self.transfer.stride1),
            target.step[1].eq(self.transfer.stride2),
            self.valid.eq(source.valid),
            self.first.eq(Mux(fresh, source.address[:word], 0)),
            self.place.eq(Mux(fresh, target.address, place)),
            position.eq(Mux(fresh, source.address[word:block], number)),
            reach.eq(Mux(fresh, self.transfer.size + self.first, left)),
            # The same once more for pieces that may end in their first word, with fewer bits.
            short.eq(self.transfer.size[: word + 1] + self.first),
            ends.eq(
                Mux(fresh, (self.transfer.size <= self.width) & (short <= self.width), left <= self.width)
            ),
            self.count.eq(Mux(ends, Mux(fresh, short, left)[: word + 1], self.width) - self.first),
            # The lines that the rest of the piece is in, and those that the rest of the word is: known
            # sooner than the count.
            self.lines.eq(
                (touched(self.place, Mux(fresh, self.transfer.size, left)[:few], len(self.lines)) | many)
                & touched(self.place, self.width - self.first, len(self.lines))
            ),
            self.last.eq(ends | position.all()),
            self.end.eq(ends & source.last.all()),
        ]
        for nest in (source, target):
            m.d.comb += [
                nest.count0.eq(self.transfer.count1),
                nest.count1.eq(self.transfer.count2),
                nest.start.eq(self.start),
                nest.next.eq(self.next & ends),
            ]
        with m.If(self.start):
            m.d.sync += fresh.eq(1)
        with m.Elif(self.next & self.valid):
            m.d.sync += [
                fresh.eq(ends),
                place.eq(self.place + self.count),
                number.eq(position + 1),
                left.eq(reach - Const(self.width)),
            ]
        return m
