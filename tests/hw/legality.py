"""The check of single instructions as a component, so that it can be simulated and mutated alone."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.instruction import INSTRUCTION_BITS, illegal
from intarsia.hw.sequencer.program_memory import CODE_BITS


class Legality(wiring.Component):
    """What `illegal` says of a word, in the same cycle.

    Members
    -------
    word : In(256);  unit : In(3), in whose queue it is
    code : Out(2), 0 or the error that it is
    """

    word: In(INSTRUCTION_BITS)
    unit: In(3)
    code: Out(CODE_BITS)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.code.eq(illegal(self.word, self.unit))
        return m
