"""One unit's instructions: program memory, fetch, waits, iterations of a segment (docs/machine.md, 3)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emu.isa import Unit, Wait
from hw.instruction import ILLEGAL_FIELD, INSTRUCTION_BITS, field, illegal, is_kind

UNITS = len(Unit)
COUNT_BITS = 32
INDEX_BITS = 16

SEGMENT = data.StructLayout(
    {
        "first": INDEX_BITS,
        "length": INDEX_BITS,
        "repeat": COUNT_BITS,
        "base": 32,
        "base_step": 32,
        "totals": data.ArrayLayout(INDEX_BITS, UNITS),
    }
)
"""What a queue has to know of a segment: its own instructions, waits included, and everybody's without."""


class Queue(wiring.Component):
    """Fetches one instruction after the other and holds it until it is complete.

    Parameters
    ----------
    unit : whose queue it is
    depth : instructions that the program memory holds

    Members
    -------
    write, write_address, write_data : In, fills the program memory
    segment : In(SEGMENT), the segment that is next;  begin : In(1), the next cycle is its first
    stop : In(1), no further instruction begins
    counts : In, instructions completed by every unit, those that complete in this cycle included
    instruction : Out(256), start : Out(1), high in an instruction's first cycle; held until the last
    finishing : In(1), the unit is in the last cycle of its instruction
    busy : Out(1), an instruction that is no WAIT is held;  waiting : Out(1), a WAIT is
    completes : Out(1), an instruction that is no WAIT is in its last cycle
    at_end : Out(1), nothing of the segment remains after this cycle
    base : Out(32), the base register
    index, iteration : Out, of the instruction held
    error : Out(2), 0 or a code of section 8, in the first cycle

    Timing: an instruction that ends in cycle t is followed by the next in cycle t + 1, whatever that is;
    a WAIT takes one cycle, or until the cycle before the count is visible.
    """

    def __init__(self, *, unit: Unit, depth: int) -> None:
        if not 1 <= depth <= 1 << INDEX_BITS:
            raise ValueError(f"depth must be in 1..{1 << INDEX_BITS}, not {depth}")
        self.unit, self.depth = unit, depth
        super().__init__(
            {
                "write": In(1),
                "write_address": In(INDEX_BITS),
                "write_data": In(INSTRUCTION_BITS),
                "segment": In(SEGMENT),
                "begin": In(1),
                "stop": In(1),
                "counts": In(COUNT_BITS).array(UNITS),
                "instruction": Out(INSTRUCTION_BITS),
                "start": Out(1),
                "finishing": In(1),
                "busy": Out(1),
                "waiting": Out(1),
                "completes": Out(1),
                "at_end": Out(1),
                "base": Out(32),
                "index": Out(INDEX_BITS),
                "iteration": Out(COUNT_BITS),
                "error": Out(2),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.program = program = Memory(shape=unsigned(INSTRUCTION_BITS), depth=self.depth, init=[])
        write, read = program.write_port(), program.read_port()
        address_bits = len(read.addr)
        valid, fresh = Signal(), Signal()
        segment = Signal(SEGMENT)

        met = Signal()
        waits = is_kind(self.instruction, Wait)
        done = Signal()
        last_index = self.index == segment.length - 1
        last = last_index & (self.iteration == segment.repeat - 1)
        following = Mux(last_index, 0, self.index + 1)
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.write_address[:address_bits]),
            write.data.eq(self.write_data),
            self.instruction.eq(read.data),
            self.start.eq(fresh & ~waits),
            done.eq(valid & Mux(waits, met, self.finishing)),
            self.busy.eq(valid & ~waits),
            self.waiting.eq(valid & waits),
            self.completes.eq(self.busy & self.finishing),
            self.at_end.eq(~valid | (done & last)),
            read.en.eq(self.begin | done),
            read.addr.eq(Mux(self.begin, self.segment.first, segment.first + following)[:address_bits]),
        ]
        m.d.sync += fresh.eq(0)
        with m.If(self.begin):
            m.d.sync += [
                segment.eq(self.segment),
                valid.eq(self.segment.length != 0),
                fresh.eq(self.segment.length != 0),
                self.index.eq(0),
                self.iteration.eq(0),
                self.base.eq(self.segment.base),
            ]
        with m.Elif(done):
            m.d.sync += [valid.eq(~last), fresh.eq(~last), self.index.eq(following)]
            with m.If(last_index):
                m.d.sync += [
                    self.iteration.eq(self.iteration + 1),
                    self.base.eq(self.base + segment.base_step),
                ]
        with m.If(self.stop):
            m.d.sync += [valid.eq(0), fresh.eq(0)]

        # What every unit has completed when all iterations before this one are done.
        before = Array(Signal(COUNT_BITS, name=f"before{k}") for k in range(UNITS))
        for k in range(UNITS):
            with m.If(self.begin):
                m.d.sync += before[k].eq(0)
            with m.Elif(done & last_index):
                m.d.sync += before[k].eq(before[k] + segment.totals[k])
        awaited = field(self.instruction, Wait, "unit")[:3]
        count = field(self.instruction, Wait, "count")
        total, past, now = (Signal(signed(COUNT_BITS + 2), name=n) for n in ("total", "past", "now"))
        with m.Switch(awaited):
            for k in range(UNITS):
                with m.Case(k):
                    m.d.comb += [total.eq(segment.totals[k]), past.eq(before[k]), now.eq(self.counts[k])]
        m.d.comb += met.eq(now >= past + count)

        code = Signal(2)
        m.d.comb += code.eq(illegal(self.instruction, self.unit))
        with m.If(fresh):
            m.d.comb += self.error.eq(Mux((code == 0) & waits & (count > total), ILLEGAL_FIELD, code))
        return m
