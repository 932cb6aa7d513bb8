"""The descriptors of a program's segments, as its host writes them (docs/machine.md, section 9)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from intarsia.hw.sequencer.queue import COUNT_BITS, INDEX_BITS, UNITS

OWN, OF_QUEUE = 3, 3
"""Words: base, base_step, repeat; then per unit first instruction, instructions, those no waits."""
DESCRIPTOR_WORDS = OWN + OF_QUEUE * UNITS
WORD_NUMBER_BITS = bits_for(DESCRIPTOR_WORDS - 1)
SEGMENT_BITS = 8
QUEUE = data.StructLayout(
    {"first": INDEX_BITS, "length": INDEX_BITS, "total": INDEX_BITS, "none": 1, "one": 1}
)


class Table(wiring.Component):
    """Written word by word, read a segment at once.

    Parameters
    ----------
    segments : that it holds, at most 256

    Members
    -------
    write : In(1), write_segment, write_word, write_data : In(32), of which queues keep the low half
    segment : In, whose description is shown: base, base_step, repeat : Out(32), once : Out(1), repeat is 1,
        queues : Out(QUEUE) by unit; none, one: it has so many instructions

    Timing: shown in the same cycle.
    """

    def __init__(self, *, segments: int) -> None:
        self.segments = segments
        super().__init__(
            {
                "write": In(1),
                "write_segment": In(SEGMENT_BITS),
                "write_word": In(WORD_NUMBER_BITS),
                "write_data": In(32),
                "segment": In(SEGMENT_BITS),
                "base": Out(32),
                "base_step": Out(32),
                "repeat": Out(COUNT_BITS),
                "once": Out(1),
                "queues": Out(QUEUE).array(UNITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        chosen = Mux(self.write, Const(1, DESCRIPTOR_WORDS) << self.write_word, 0)
        shown = []
        # What a word is compared with is found when it is written.
        for name, bits, words in (
            ("own", 32, range(OWN)),
            ("of_queues", INDEX_BITS, range(OWN, DESCRIPTOR_WORDS)),
        ):
            m.submodules[name] = memory = Memory(
                shape=data.ArrayLayout(bits + 2, len(words)), depth=self.segments, init=[]
            )
            value = self.write_data[:bits]
            write, read = memory.write_port(granularity=1), memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(self.write_segment),
                write.en.eq(chosen[words.start : words.stop]),
                *(write.data[k].eq(Cat(value == 0, value == 1, value)) for k in range(len(words))),
                read.addr.eq(self.segment),
            ]
            shown += [read.data[k] for k in range(len(words))]
        base, base_step, repeat = shown[:OWN]
        m.d.comb += [
            self.base.eq(base[2:]),
            self.base_step.eq(base_step[2:]),
            self.repeat.eq(repeat[2:]),
            self.once.eq(repeat[1]),
        ]
        for unit, queue in enumerate(self.queues):
            first, length, total = shown[OWN + OF_QUEUE * unit :][:OF_QUEUE]
            m.d.comb += [
                queue.first.eq(first[2:]),
                queue.length.eq(length[2:]),
                queue.none.eq(length[0]),
                queue.one.eq(length[1]),
                queue.total.eq(total[2:]),
            ]
        return m
