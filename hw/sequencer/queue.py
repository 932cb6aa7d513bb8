"""One unit's instructions: program memory, fetch, waits, iterations of a segment (docs/machine.md, 3)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import Unit
from intarsia.hw.interfaces.instruction import INSTRUCTION_BITS
from intarsia.hw.lib.one_hot import of_one
from intarsia.hw.sequencer.program_memory import CODE_BITS, ProgramMemory

UNITS = len(Unit)
COUNT_BITS = 32
INDEX_BITS = 16

SEGMENT = data.StructLayout(
    {
        "first": INDEX_BITS,
        "length": INDEX_BITS,
        "none": 1,
        "one": 1,
        "repeat": COUNT_BITS,
        "once": 1,
        "base": 32,
        "base_step": 32,
    }
)
"""What a queue has to know of a segment that is next. none, one : it has so many instructions;  once : it
is not repeated."""


class Queue(wiring.Component):
    """Fetches one instruction after the other and holds it until it is complete.

    Parameters
    ----------
    unit : whose queue it is
    depth : instructions that the program memory holds

    Members
    -------
    write, write_address, write_data, write_code : In, fills the program memory
    active : In(1), the program runs, or may begin; while it is low, instruction and base stay, which a unit
        that was stopped needs until it is quiet
    segment : In(SEGMENT), the segment that is next;  begin : In(1), the next cycle is its first
    totals : In, by unit, its instructions in an iteration of the segment that runs, those no waits
    totals_left : In, the same, one less where the unit completes one in this cycle
    stop : In(1), no further instruction begins
    completed : In(1) by unit, an instruction that is no WAIT is in its last cycle
    instruction : Out(256), held until the last cycle;  start : Out(1), the first of one that is legal
    finishing : In(1), the unit is in the last cycle of its instruction, never while a WAIT is held
    busy : Out(1), an instruction that is no WAIT is held;  waiting : Out(1), a WAIT is
    completes : Out(1), this unit's `completed`
    at_end : Out(1), nothing of the segment remains after this cycle
    base : Out(32), the base register, of a unit that has one
    index : Out, of the instruction held;  left : Out, iterations that are not complete
    error : Out(2), 0 or a code of section 8, in the first cycle
    never : Out(1), a WAIT that is not met in the last iteration was in its first cycle in the one before

    Timing: an instruction that ends in cycle t is followed by the next in cycle t + 1, whatever that is;
    a WAIT takes one cycle, or until the cycle before the count is visible.

    `begin` comes late, for it waits for all queues. So a queue that is at its end takes from the segment
    that is next whatever it has to know, time and again; `begin` only decides whether there is an
    instruction.
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
                "write_code": In(CODE_BITS),
                "active": In(1),
                "segment": In(SEGMENT),
                "begin": In(1),
                "totals": In(INDEX_BITS).array(UNITS),
                "totals_left": In(signed(INDEX_BITS + 1)).array(UNITS),
                "stop": In(1),
                "completed": In(UNITS),
                "instruction": Out(INSTRUCTION_BITS),
                "start": Out(1),
                "finishing": In(1),
                "busy": Out(1),
                "waiting": Out(1),
                "completes": Out(1),
                "at_end": Out(1),
                "base": Out(32),
                "index": Out(INDEX_BITS),
                "left": Out(COUNT_BITS),
                "error": Out(CODE_BITS),
                "never": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.program = program = ProgramMemory(unit=self.unit, depth=self.depth)
        valid, fresh = Signal(), Signal()
        met, done, ends = Signal(), Signal(), Signal()
        waits = program.waits
        first, length = Signal(INDEX_BITS), Signal(INDEX_BITS)
        # Of the instruction held: whether it is its iteration's last, and where the next one is.
        last, ahead = Signal(), Signal(INDEX_BITS)
        final = Signal()  # the last iteration
        m.d.comb += [
            program.write.eq(self.write),
            program.write_address.eq(self.write_address),
            program.write_data.eq(self.write_data),
            program.write_code.eq(self.write_code),
            self.instruction.eq(program.instruction),
            self.start.eq(fresh & ~waits & (program.code == 0)),
            done.eq(valid & (met | self.finishing)),
            ends.eq(done & last),
            self.busy.eq(valid & ~waits),
            self.waiting.eq(valid & waits),
            self.completes.eq(valid & self.finishing),
            self.at_end.eq(~valid | (ends & final)),
            program.enable.eq((~valid & self.active) | done),
            program.address.eq(Mux(~valid | (last & final), self.segment.first, ahead)),
        ]
        index = Mux(last, 0, self.index + 1)
        with m.If(self.at_end):
            m.d.sync += [
                first.eq(self.segment.first),
                length.eq(self.segment.length),
                last.eq(self.segment.one),
                ahead.eq(self.segment.first + ~self.segment.one),
                final.eq(self.segment.once),
                self.left.eq(self.segment.repeat),
                self.index.eq(0),
            ]
        with m.Elif(done):
            becomes_last = index == length - 1
            m.d.sync += [
                self.index.eq(index),
                last.eq(becomes_last),
                ahead.eq(Mux(becomes_last, first, ahead + 1)),
            ]
            with m.If(last):
                m.d.sync += [self.left.eq(self.left - 1), final.eq(self.left == 2)]
        follows = Mux(self.at_end, self.begin & ~self.segment.none, 1)
        m.d.sync += [
            valid.eq(~self.stop & follows),
            fresh.eq(~self.stop & follows & (self.at_end | done)),
        ]
        if self.unit in (Unit.LOAD, Unit.STORE):
            self._base(m, ends)
        self._wait(m, met, ends, program)
        with m.If(fresh):
            m.d.comb += self.error.eq(program.code)
        total, count, waited = Signal(INDEX_BITS), Signal.like(program.count), Signal()
        m.d.sync += [
            total.eq(Array(self.totals)[program.awaited]),
            count.eq(program.count),
            waited.eq(fresh & waits & (program.code == 0)),
        ]
        m.d.comb += self.never.eq(waited & (total < count.as_signed()))
        return m

    def _base(self, m: Module, ends: Signal) -> None:
        step = Signal(32)
        with m.If(self.at_end & self.active):
            m.d.sync += [self.base.eq(self.segment.base), step.eq(self.segment.base_step)]
        with m.Elif(ends):
            m.d.sync += self.base.eq(self.base + step)

    def _wait(self, m: Module, met: Signal, ends: Signal, program: ProgramMemory) -> None:
        """Whether a WAIT is met: how much every unit has completed, less what it had at the end of the
        iterations before this queue's, and one more, is above the count.

        The count comes late, out of the program memory. So it is compared for all units, of which one is
        then chosen, and a single chain of carries adds what completes in this cycle and compares.
        """
        count = program.count.as_signed()
        reached: list[Value] = []
        for k, total_left in enumerate(self.totals_left):
            beyond, completed = Signal(signed(COUNT_BITS + 2), name=f"beyond{k}"), self.completed[k]
            with m.If(self.at_end):
                m.d.sync += beyond.eq(1)
            with m.Else():
                m.d.sync += beyond.eq(beyond - Mux(ends, total_left, -completed))
            # Twice (beyond - count), one less if it is not completed, of which the sign counts.
            difference = Cat(completed, beyond).as_signed() - Cat(Const(1, 1), count).as_signed()
            reached.append(difference >= 0)
        awaited = (program.waits & (program.awaited == k) for k in range(UNITS))
        m.d.comb += met.eq(of_one(awaited, reached))
