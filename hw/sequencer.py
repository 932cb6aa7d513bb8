"""All queues, the segments that they run together, and the counts by which they wait for each other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emu.isa import Unit
from hw.instruction import INSTRUCTION_BITS
from hw.queue import COUNT_BITS, INDEX_BITS, UNITS, Queue

DESCRIPTOR_WORDS = 3 + 3 * UNITS
"""Of a segment: base, base_step, repeat, then per unit first instruction, instructions, those no waits."""
SEGMENT_BITS = 8
WATCHDOG_ERROR = 6

PORT = wiring.Signature(
    {
        "instruction": Out(INSTRUCTION_BITS),
        "start": Out(1),
        "base": Out(32),
        "finishing": In(1),
        "error": In(8),
    }
)
"""To a unit: an instruction, held from `start`, its first cycle, to `finishing`, its last; a code other
than 0 in `error` stops the machine."""


class Sequencer(wiring.Component):
    """Runs a program: segment after segment, every unit its own queue.

    Parameters
    ----------
    depth : instructions per queue;  segments : that the table holds, at most 256

    Members
    -------
    unit : Out(PORT) per unit
    write, write_unit, write_address, write_data : In, fills the program memories
    describe, describe_segment, describe_word, describe_data : In, fills the segment table, 32 bits at once
    segments : In, of the program;  start : In(1)
    running : Out(1), from the cycle in which the first instructions begin to the one in which the last ends
    finished : Out(1), that last cycle
    busy, waiting : Out(1) per unit, it holds an instruction that is no WAIT, or one that is
    expired : In(1), the watchdog's error, given to the lowest unit that holds an instruction
    error : Out(8), error_unit, error_segment, error_iteration, error_index : Out, in the cycle of an error
    """

    def __init__(self, *, depth: int, segments: int) -> None:
        if not 1 <= segments <= 1 << SEGMENT_BITS:
            raise ValueError(f"segments must be in 1..{1 << SEGMENT_BITS}, not {segments}")
        self.depth, self.table_depth = depth, segments
        super().__init__(
            {
                "unit": Out(PORT).array(UNITS),
                "write": In(1),
                "write_unit": In(3),
                "write_address": In(INDEX_BITS),
                "write_data": In(INSTRUCTION_BITS),
                "describe": In(1),
                "describe_segment": In(SEGMENT_BITS),
                "describe_word": In(5),
                "describe_data": In(32),
                "segments": In(SEGMENT_BITS + 1),
                "start": In(1),
                "running": Out(1),
                "finished": Out(1),
                "busy": Out(UNITS),
                "waiting": Out(UNITS),
                "expired": In(1),
                "error": Out(8),
                "error_unit": Out(3),
                "error_segment": Out(SEGMENT_BITS),
                "error_iteration": Out(COUNT_BITS),
                "error_index": Out(INDEX_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        words = data.ArrayLayout(32, DESCRIPTOR_WORDS)
        m.submodules.table = table = Memory(shape=words, depth=self.table_depth, init=[])
        write, read = table.write_port(granularity=1), table.read_port(domain="comb")
        following = Signal(SEGMENT_BITS + 1)  # the segment after the one that runs
        begin, last, all_at_end = Signal(), Signal(), Signal()
        m.d.comb += [
            write.addr.eq(self.describe_segment),
            write.en.eq(Mux(self.describe, Const(1, DESCRIPTOR_WORDS) << self.describe_word, 0)),
            *(write.data[k].eq(self.describe_data) for k in range(DESCRIPTOR_WORDS)),
            read.addr.eq(following),
            last.eq(following == self.segments),
        ]
        stop = Signal()
        queues = []
        for unit in Unit:
            queue = Queue(unit=unit, depth=self.depth)
            m.submodules[f"queue_{unit.name.lower()}"] = queue
            queues.append(queue)
            port = self.unit[unit]
            base = 3 + 3 * unit
            m.d.comb += [
                queue.write.eq(self.write & (self.write_unit == unit)),
                queue.write_address.eq(self.write_address),
                queue.write_data.eq(self.write_data),
                queue.begin.eq(begin),
                queue.stop.eq(stop),
                queue.segment.base.eq(read.data[0]),
                queue.segment.base_step.eq(read.data[1]),
                queue.segment.repeat.eq(read.data[2]),
                queue.segment.first.eq(read.data[base]),
                queue.segment.length.eq(read.data[base + 1]),
                *(queue.segment.totals[k].eq(read.data[5 + 3 * k]) for k in range(UNITS)),
                port.instruction.eq(queue.instruction),
                port.start.eq(queue.start),
                port.base.eq(queue.base),
                queue.finishing.eq(port.finishing),
            ]
        self._count(m, queues, begin)
        m.d.comb += [
            all_at_end.eq(Cat(queue.at_end for queue in queues).all()),
            self.busy.eq(Cat(queue.busy for queue in queues)),
            self.waiting.eq(Cat(queue.waiting for queue in queues)),
            self.finished.eq(self.running & all_at_end & last),
            begin.eq(self.start & ~self.running | self.running & all_at_end & ~last),
        ]
        with m.If(stop | self.finished):
            m.d.sync += self.running.eq(0)
        with m.Elif(begin):
            m.d.sync += [self.running.eq(1), following.eq(following + 1)]
        with m.If(~self.running & ~self.start):
            m.d.sync += following.eq(0)
        self._errors(m, queues, following)
        m.d.comb += stop.eq(self.error != 0)
        return m

    def _count(self, m: Module, queues: list[Queue], begin: Signal) -> None:
        """What every unit has completed since the segment began, this cycle included."""
        for k, queue in enumerate(queues):
            count, now = (Signal(COUNT_BITS, name=f"{name}{k}") for name in ("count", "now"))
            m.d.comb += now.eq(count + queue.completes)
            m.d.sync += count.eq(Mux(begin, 0, now))
            for other in queues:
                m.d.comb += other.counts[k].eq(now)

    def _errors(self, m: Module, queues: list[Queue], following: Signal) -> None:
        """The lowest unit's error."""
        m.d.comb += self.error_segment.eq(following - 1)
        for k, queue in reversed(list(enumerate(queues))):
            expired = Mux(self.expired & (queue.busy | queue.waiting), WATCHDOG_ERROR, 0)
            code = Mux(
                queue.error != 0, queue.error, Mux(self.unit[k].error != 0, self.unit[k].error, expired)
            )
            with m.If(self.running & (code != 0)):
                m.d.comb += [
                    self.error.eq(code),
                    self.error_unit.eq(k),
                    self.error_iteration.eq(queue.iteration),
                    self.error_index.eq(queue.index),
                ]
