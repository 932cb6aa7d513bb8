"""One unit's program memory: of every instruction, the bits that a legal one can have."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import INSTRUCTIONS, Unit, Wait
from intarsia.arch.isa.encoding import known_bits
from intarsia.arch.isa.instruction import fields_of
from intarsia.hw.interfaces.instruction import INSTRUCTION_BITS, WORD_BITS, is_kind
from intarsia.hw.interfaces.ports import UNCHECKED

CODE_BITS = 2
AWAITED, COUNT = fields_of(Wait)
WAIT_WORDS = AWAITED.word, COUNT.word
"""Where a WAIT has the awaited unit and the count."""
AWAITED_BITS = AWAITED.high.bit_length()


class ProgramMemory(wiring.Component):
    """Instructions that were checked when they were written: of one that is none, only the opcode and the
    code of its error remain.

    What no instruction of the unit names is not stored. A WAIT's count takes the place of a word that the
    unit's instructions fill and a WAIT does not.

    Parameters
    ----------
    unit : whose instructions;  depth : how many

    Members
    -------
    write : In(1), write_address, write_data : In(256), write_code : In(2), 0 or what is wrong with it
    enable : In(1), address : In
    instruction : Out(256), a cycle later, but for a WAIT's fields;  awaited, count : Out, these
    waits : Out(1), it is a WAIT
    code : Out(2), as it was written
    """

    def __init__(self, *, unit: Unit, depth: int) -> None:
        self.unit, self.depth = unit, depth
        address = range(max(depth, 2))
        super().__init__(
            {
                "write": In(1),
                "write_address": In(address),
                "write_data": In(INSTRUCTION_BITS),
                "write_code": In(CODE_BITS),
                "enable": In(1),
                "address": In(address),
                "instruction": Out(INSTRUCTION_BITS),
                "waits": Out(1),
                "awaited": Out(AWAITED_BITS),
                "count": Out(WORD_BITS),
                "code": Out(CODE_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        kept, fixed = kept_bits(self.unit)
        full = (1 << WORD_BITS) - 1
        whole = [k for k in range(1, 8) if kept >> WORD_BITS * k & full == full]
        # Where the count of a WAIT is: at its own place, or at that of another word.
        place = WAIT_WORDS[1] if WAIT_WORDS[1] in whole else whole[-1]
        places = [k for k in range(INSTRUCTION_BITS) if kept >> k & 1]
        m.submodules.memory = memory = Memory(
            shape=unsigned(len(places) + 1 + CODE_BITS), depth=self.depth, init=[], attrs=UNCHECKED
        )
        write, read = memory.write_port(), memory.read_port()
        data = Signal(INSTRUCTION_BITS)
        waits = is_kind(self.write_data, Wait)
        m.d.comb += [
            data.eq(self.write_data),
            write.en.eq(self.write),
            write.addr.eq(self.write_address),
            write.data.eq(Cat(*(data[k] for k in places), waits, self.write_code)),
            read.en.eq(self.enable),
            read.addr.eq(self.address),
        ]
        if place != WAIT_WORDS[1]:
            with m.If(waits):
                m.d.comb += data.word_select(place, WORD_BITS).eq(
                    self.write_data.word_select(WAIT_WORDS[1], WORD_BITS)
                )
        stored = dict(zip(places, read.data, strict=False))
        bits = [stored.get(k, Const(fixed >> k & 1, 1)) for k in range(INSTRUCTION_BITS)]
        low = WORD_BITS * WAIT_WORDS[0]
        m.d.comb += [
            self.instruction.eq(Cat(bits)),
            self.awaited.eq(Cat(bits[low : low + AWAITED_BITS])),
            self.count.eq(Cat(bits[WORD_BITS * place : WORD_BITS * (place + 1)])),
            self.waits.eq(read.data[-CODE_BITS - 1]),
            self.code.eq(read.data[-CODE_BITS:]),
        ]
        return m


def kept_bits(unit: Unit) -> tuple[int, int]:
    """The bits that may differ between legal instructions of a unit, as a mask; those that all have."""
    kept, fixed = 0xFF | ((1 << AWAITED_BITS) - 1) << WORD_BITS * WAIT_WORDS[0], 0
    for kind in INSTRUCTIONS:
        if kind.queue != unit:
            continue
        fixed |= known_bits(kind.opcode)[1]
        for f in fields_of(kind):
            bits = f.bits if f.low < 0 else (f.high // f.scale).bit_length()
            kept |= (1 << bits) - 1 << WORD_BITS * f.word + f.shift
    return kept, fixed
