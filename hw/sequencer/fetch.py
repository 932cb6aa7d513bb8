"""Instructions from DRAM into the program memories, before a program starts."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from intarsia.arch.isa import INSTRUCTION_BYTES, Load
from intarsia.hw.interfaces.instruction import INSTRUCTION_BITS, assembled
from intarsia.hw.interfaces.ports import ADDRESS_BITS, ADDRESS_ERROR, ERROR_BITS, write_port
from intarsia.hw.interfaces.transfer import chip_shape
from intarsia.hw.sequencer.queue import INDEX_BITS, UNITS

PROGRAM_SPACE = 6
"""As the space of a LOAD, which no program may name: what is loaded goes to the program memories."""


class Fetch(wiring.Component):
    """Has LOAD's engine read a program's instructions, which stand in DRAM as in its file: segment
    after segment, in it unit after unit.

    Every queue of a segment is a transfer, of which each piece is an instruction: so no more than one comes
    in a cycle, however wide the bus is.

    Parameters
    ----------
    width : bytes of a word of the bus;  depth : instructions that a program memory holds

    Members
    -------
    start : In(1);  address : In(32), of the first instruction, a multiple of 32;  segments : In, how many
    stop : In(1), gives up
    segment, unit : Out, whose queue it is at;  first, length : In, where that stands in its program memory
        and how long it is, in the same cycle
    instruction : Out(256), begin : Out(1), finishing : In(1), to LOAD's engine, as of
        `hw.sequencer.sequencer.PORT`
    memory : In(write_port(chip_shape(width))), what that engine loads
    write : Out(1), write_unit, write_address, write_data : Out, an instruction for a program memory,
        registers
    running : Out(1), from the cycle after `start` on;  finished : Out(1), in the last such cycle
    index : Out, in its queue, of the instruction that comes next
    error : Out(ERROR_BITS), ADDRESS_ERROR where a queue does not fit into its program memory

    Timing: per queue two cycles, and those of a LOAD of its instructions if it has any.
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        super().__init__(
            {
                "start": In(1),
                "address": In(ADDRESS_BITS),
                "segments": In(INDEX_BITS),
                "stop": In(1),
                "segment": Out(INDEX_BITS),
                "unit": Out(range(UNITS)),
                "first": In(INDEX_BITS),
                "length": In(INDEX_BITS),
                "instruction": Out(INSTRUCTION_BITS),
                "begin": Out(1),
                "finishing": In(1),
                "memory": In(write_port(chip_shape(width))),
                "write": Out(1),
                "write_unit": Out(range(UNITS)),
                "write_address": Out(INDEX_BITS),
                "write_data": Out(INSTRUCTION_BITS),
                "running": Out(1),
                "finished": Out(1),
                "index": Out(INDEX_BITS),
                "error": Out(ERROR_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        place = Signal(ADDRESS_BITS)
        known, busy = Signal(), Signal()  # where the queue stands is;  LOAD's engine is
        first, length = Signal.like(self.first), Signal.like(self.length)
        m.d.sync += [first.eq(self.first), length.eq(self.length)]
        looks = self.running & known & ~busy
        fits = first + length <= self.depth
        last_unit = self.unit == UNITS - 1
        leaves = Signal()  # this queue
        m.d.comb += [
            leaves.eq(looks & (length == 0) | busy & self.finishing),
            self.finished.eq(leaves & last_unit & (self.segment + 1 == self.segments)),
            self.begin.eq(looks & (length != 0) & fits),
            self.error.eq(Mux(looks & (length != 0) & ~fits, ADDRESS_ERROR, 0)),
            self.instruction.eq(
                assembled(
                    Load,
                    dram=place,
                    space=Const(PROGRAM_SPACE),
                    size=Const(INSTRUCTION_BYTES),
                    count1=length,
                    count2=Const(1),
                    dram_stride1=Const(INSTRUCTION_BYTES),
                )
            ),
        ]
        m.d.sync += known.eq(self.running & ~leaves)
        with m.If(self.begin):
            m.d.sync += [busy.eq(1), self.index.eq(0)]
        with m.If(leaves):
            m.d.sync += [
                busy.eq(0),
                place.eq(place + length * INSTRUCTION_BYTES),
                self.unit.eq(Mux(last_unit, 0, self.unit + 1)),
                self.segment.eq(self.segment + last_unit),
                self.running.eq(~self.finished),
            ]
        with m.If(self.stop):
            m.d.sync += [self.running.eq(0), busy.eq(0)]
        with m.If(self.start & ~self.running):
            m.d.sync += [self.running.eq(1), place.eq(self.address), self.segment.eq(0), self.unit.eq(0)]
        self._collect(m, first)
        return m

    def _collect(self, m: Module, first: Signal) -> None:
        """Puts words together to instructions, of a queue that stands from `first` on."""
        port = self.memory
        bits = 8 * min(self.width, INSTRUCTION_BYTES)
        count = INSTRUCTION_BITS // bits
        word = port.data[:bits]  # the lanes: instructions, and what makes them up, stand at multiples
        held = Signal(INSTRUCTION_BITS - bits)
        number = port.address[exact_log2(bits // 8) : exact_log2(INSTRUCTION_BYTES)]
        whole = port.enable.any() & (number == count - 1)
        m.d.sync += [
            self.write.eq(whole & ~self.stop),
            self.write_unit.eq(self.unit),
            self.write_address.eq(first + self.index),
            self.write_data.eq(Cat(held, word)),
        ]
        with m.If(port.enable.any()):
            if count > 1:
                m.d.sync += held.eq(Cat(held, word)[bits:])
            with m.If(whole):
                m.d.sync += self.index.eq(self.index + 1)
