"""One unit's instructions: program memory, fetch, waits, iterations of a segment (docs/machine.md, 3)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from emu.isa import Unit
from hw.instruction import INSTRUCTION_BITS
from hw.program_memory import CODE_BITS, ProgramMemory

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
    segment : In(SEGMENT), the segment that is next;  begin : In(1), the next cycle is its first
    totals : In, by unit, its instructions in an iteration of the segment that runs, those no waits
    totals_left : In, the same, one less where the unit completes one in this cycle
    stop : In(1), no further instruction begins
    completed : In(1) by unit, an instruction that is no WAIT is in its last cycle
    instruction : Out(256), held until the last cycle;  start : Out(1), the first of one that is legal
    finishing : In(1), the unit is in the last cycle of its instruction
    busy : Out(1), an instruction that is no WAIT is held;  waiting : Out(1), a WAIT is
    completes : Out(1), this unit's `completed`
    at_end : Out(1), nothing of the segment remains after this cycle
    base : Out(32), the base register, of a unit that has one
    index : Out, of the instruction held;  left : Out, iterations that are not complete
    error : Out(2), 0 or a code of section 8, in the first cycle
    never : Out(1), a WAIT that is not met in the last iteration is in its first cycle

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
                "write_code": In(CODE_BITS),
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
            done.eq(valid & Mux(waits, met, self.finishing)),
            ends.eq(done & last),
            self.busy.eq(valid & ~waits),
            self.waiting.eq(valid & waits),
            self.completes.eq(self.busy & self.finishing),
            self.at_end.eq(~valid | (ends & final)),
            program.enable.eq(self.begin | done),
            program.address.eq(Mux(self.begin, self.segment.first, ahead)),
        ]
        index = Mux(last, 0, self.index + 1)
        m.d.sync += fresh.eq(0)
        with m.If(self.begin):
            one, begun = self.segment.one, ~self.segment.none
            m.d.sync += [
                first.eq(self.segment.first),
                length.eq(self.segment.length),
                last.eq(one),
                ahead.eq(self.segment.first + ~one),
                final.eq(self.segment.once),
                self.left.eq(self.segment.repeat),
                valid.eq(begun),
                fresh.eq(begun),
                self.index.eq(0),
            ]
        with m.Elif(done):
            becomes_last = index == length - 1
            m.d.sync += [
                valid.eq(~(last & final)),
                fresh.eq(~(last & final)),
                self.index.eq(index),
                last.eq(becomes_last),
                ahead.eq(Mux(becomes_last, first, ahead + 1)),
            ]
            with m.If(last):
                m.d.sync += [self.left.eq(self.left - 1), final.eq(self.left == 2)]
        with m.If(self.stop):
            m.d.sync += [valid.eq(0), fresh.eq(0)]
        if self.unit in (Unit.LOAD, Unit.STORE):
            self._base(m, ends)
        self._wait(m, met, ends, program)
        too_many = Array(self.totals)[program.awaited] < program.count.as_signed()
        m.d.comb += self.never.eq(fresh & waits & too_many)
        with m.If(fresh):
            m.d.comb += self.error.eq(program.code)
        return m

    def _base(self, m: Module, ends: Signal) -> None:
        step = Signal(32)
        with m.If(self.begin):
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
        reached = []
        for k, total_left in enumerate(self.totals_left):
            beyond, completed = Signal(signed(COUNT_BITS + 2), name=f"beyond{k}"), self.completed[k]
            with m.If(self.begin):
                m.d.sync += beyond.eq(1)
            with m.Else():
                m.d.sync += beyond.eq(beyond - Mux(ends, total_left, -completed))
            # Twice (beyond - count - 1 + completed), of which the sign counts.
            difference = Cat(completed, beyond).as_signed() + Cat(completed, ~count).as_signed()
            reached.append(difference >= 0)
        m.d.comb += met.eq(Array(reached)[program.awaited])
