"""The address channel of a transfer: bursts asked for, and those that the memory still owes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.dma.bursts import Bursts
from intarsia.hw.interfaces.axi import BUFFERABLE, INCR, address_channel, checked_width
from intarsia.hw.interfaces.ports import ADDRESS_ERROR, ERROR_BITS
from intarsia.hw.interfaces.transfer import TRANSFER, log2

OWED_BITS = 16
"""Bursts owed at most: with any latency of docs/machine.md so many that data never wait for requests."""


class Requests(wiring.Component):
    """Asks for all bursts of a transfer, as fast as the channel takes them.

    Parameters
    ----------
    width : bytes of a word of the bus

    Members
    -------
    transfer : In(TRANSFER), as of `shown`;  start : In(1)
    stop : In(1), asks for no more; what the channel shows stays until it is taken
    channel : Out(address_channel()), registers
    answered : In(1), a burst is complete: its last beat of data, or its response, is here
    given : Out(1), the channel shows a new burst from the next cycle on
    more : Out(1), bursts remain that the channel has not shown
    owed : Out(16), bursts that the channel has shown and that are not complete
    error : Out(ERROR_BITS), ADDRESS_ERROR while the next burst's piece does not end within 2**32 bytes

    Timing: the first burst is shown 2 cycles after `start`, then one per cycle.
    """

    def __init__(self, *, width: int) -> None:
        self.width = checked_width(width)
        super().__init__(
            {
                "transfer": In(TRANSFER),
                "start": In(1),
                "stop": In(1),
                "channel": Out(address_channel()),
                "answered": In(1),
                "given": Out(1),
                "more": Out(1),
                "owed": Out(OWED_BITS),
                "error": Out(ERROR_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bursts = Bursts(width=self.width)
        m.submodules.bursts = ResetInserter(self.stop)(bursts)
        channel = self.channel
        room = Signal()
        m.d.comb += [
            bursts.transfer.eq(self.transfer),
            bursts.start.eq(self.start),
            room.eq(~self.owed.all() & (~channel.valid | channel.ready)),
            bursts.next.eq(self.given),
            self.given.eq(bursts.valid & ~bursts.beyond & room & ~self.stop),
            self.more.eq(bursts.valid),
            self.error.eq(Mux(bursts.valid & bursts.beyond, ADDRESS_ERROR, 0)),
            channel.id.eq(0),
            channel.size.eq(log2(self.width)),
            channel.burst.eq(INCR),
            channel.lock.eq(0),
            channel.cache.eq(BUFFERABLE),
            channel.prot.eq(0),
            channel.qos.eq(0),
        ]
        with m.If(self.given):
            m.d.sync += [
                channel.valid.eq(1),
                channel.addr.eq(bursts.address),
                channel.len.eq(bursts.length),
            ]
        with m.Elif(channel.ready):
            m.d.sync += channel.valid.eq(0)
        m.d.sync += self.owed.eq(self.owed + self.given - self.answered)
        return m
