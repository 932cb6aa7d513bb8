"""All queues, the segments that they run together, and the counts by which they wait for each other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import Unit
from intarsia.hw.interfaces.instruction import ILLEGAL_FIELD, INSTRUCTION_BITS, illegal
from intarsia.hw.interfaces.ports import ADDRESS_BITS, write_port
from intarsia.hw.interfaces.transfer import chip_shape
from intarsia.hw.lib.one_hot import first_of, of_one
from intarsia.hw.sequencer.fetch import Fetch
from intarsia.hw.sequencer.queue import COUNT_BITS, INDEX_BITS, UNITS, Queue
from intarsia.hw.sequencer.segment_table import SEGMENT_BITS, WORD_NUMBER_BITS, Table

WATCHDOG_ERROR = 6
ERROR_LATENCY = 2
"""Cycles from an error to the one in which it is told, and the units stop."""
ERROR = data.StructLayout(
    {"code": 8, "unit": 3, "segment": SEGMENT_BITS, "iteration": COUNT_BITS, "index": INDEX_BITS}
)
"""What went wrong, and where."""
FOUND = data.StructLayout(
    {
        "code": 8,
        "unit": 3,
        "segment": SEGMENT_BITS,
        "repeat": COUNT_BITS,
        "left": COUNT_BITS,
        "index": INDEX_BITS,
    }
)
"""The same before the iteration, repeat - left, is known."""
WRITE = data.StructLayout(
    {"write": 1, "write_unit": 3, "write_address": INDEX_BITS, "write_data": INSTRUCTION_BITS}
)
"""An instruction for a program memory, from the host or from DRAM."""

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
    width : bytes of a word of the bus, by which programs come

    Members
    -------
    unit : Out(PORT) per unit
    write, write_unit, write_address, write_data : In, fills the program memories
    describe, describe_segment, describe_word, describe_data : In, fills the segment table, 32 bits at once
    segments : In, of the program;  start : In(1);  fetch : In(1), with it: not before the instructions are
        fetched that stand in DRAM from `code` : In(32) on, by LOAD's engine
    loaded : In(write_port(chip_shape(width))), what that engine loads for the program memories
    fetching : Out(1), from the cycle after `start` on until the program begins or there is an error
    running : Out(1), from the cycle in which the first instructions begin to the one in which the last ends
    finished : Out(1), that last cycle
    busy, waiting : Out(1) per unit, it holds an instruction that is no WAIT, or one that is
    expired : In(1), the watchdog's error, given to the lowest unit that holds an instruction, or to the
        one whose instructions are fetched
    idle : Out(1), it neither runs nor fetches, nor can an error come any more
    error : Out(8), error_unit, error_segment, error_iteration, error_index : Out, ERROR_LATENCY cycles
        after the first error, when the units are stopped; 0 in all others
    """

    def __init__(self, *, depth: int, segments: int, width: int) -> None:
        if not 1 <= segments <= 1 << SEGMENT_BITS:
            raise ValueError(f"segments must be in 1..{1 << SEGMENT_BITS}, not {segments}")
        self.depth, self.table_depth, self.width = depth, segments, width
        super().__init__(
            {
                "unit": Out(PORT).array(UNITS),
                "write": In(1),
                "write_unit": In(3),
                "write_address": In(INDEX_BITS),
                "write_data": In(INSTRUCTION_BITS),
                "describe": In(1),
                "describe_segment": In(SEGMENT_BITS),
                "describe_word": In(WORD_NUMBER_BITS),
                "describe_data": In(32),
                "segments": In(SEGMENT_BITS + 1),
                "start": In(1),
                "fetch": In(1),
                "code": In(ADDRESS_BITS),
                "loaded": In(write_port(chip_shape(width))),
                "fetching": Out(1),
                "running": Out(1),
                "finished": Out(1),
                "idle": Out(1),
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
        m.submodules.table = table = Table(segments=self.table_depth)
        m.submodules.fetch = fetch = Fetch(width=self.width, depth=self.depth)
        fetched, go = Signal(), Signal()
        following = Signal(SEGMENT_BITS + 1)  # the segment after the one that runs
        begin, last, all_at_end = Signal(), Signal(), Signal()
        m.d.comb += [
            table.write.eq(self.describe),
            table.write_segment.eq(self.describe_segment),
            table.write_word.eq(self.describe_word),
            table.write_data.eq(self.describe_data),
            table.segment.eq(Mux(fetch.running, fetch.segment, following)),
            last.eq(following == self.segments),
        ]
        totals_left = [Signal(signed(INDEX_BITS + 1), name=f"total_left{k}") for k in range(UNITS)]
        stop = Signal()
        queues = []
        self._fetch(m, fetch, table, stop)
        writer: Any = Signal(WRITE)
        with m.If(fetch.running):
            m.d.comb += [getattr(writer, name).eq(getattr(fetch, name)) for name in WRITE.members]
        with m.Else():
            m.d.comb += [getattr(writer, name).eq(getattr(self, name)) for name in WRITE.members]
        code = illegal(writer.write_data, writer.write_unit)
        # Of the segment that runs.
        repeat, totals = Signal(COUNT_BITS), Signal(data.ArrayLayout(INDEX_BITS, UNITS))
        with m.If(begin):
            m.d.sync += [total.eq(queue.total) for total, queue in zip(totals, table.queues, strict=True)]
            m.d.sync += repeat.eq(table.repeat)
        for unit in Unit:
            queue = Queue(unit=unit, depth=self.depth)
            m.submodules[f"queue_{unit.name.lower()}"] = queue
            queues.append(queue)
            port, described = self.unit[unit], table.queues[unit]
            m.d.comb += [
                queue.write.eq(writer.write & (writer.write_unit == unit)),
                queue.write_address.eq(writer.write_address),
                queue.write_data.eq(writer.write_data),
                queue.write_code.eq(code),
                queue.active.eq(self.running | go),
                queue.begin.eq(begin),
                queue.stop.eq(stop),
                queue.segment.base.eq(table.base),
                queue.segment.base_step.eq(table.base_step),
                queue.segment.repeat.eq(table.repeat),
                queue.segment.once.eq(table.once),
                queue.segment.first.eq(described.first),
                queue.segment.length.eq(described.length),
                queue.segment.none.eq(described.none),
                queue.segment.one.eq(described.one),
                *(to.eq(total) for to, total in zip(queue.totals, totals, strict=True)),
                *(to.eq(less) for to, less in zip(queue.totals_left, totals_left, strict=True)),
                port.instruction.eq(queue.instruction),
                port.start.eq(queue.start),
                port.base.eq(queue.base),
                queue.finishing.eq(port.finishing),
            ]
        load = self.unit[Unit.LOAD]
        with m.If(fetch.running):
            m.d.comb += [load.instruction.eq(fetch.instruction), load.start.eq(fetch.begin)]
        completed = Cat(queue.completes for queue in queues)
        m.d.comb += [
            *(queue.completed.eq(completed) for queue in queues),
            *(
                less.eq(total - queue.completes)
                for less, total, queue in zip(totals_left, totals, queues, strict=True)
            ),
            all_at_end.eq(Cat(queue.at_end for queue in queues).all()),
            self.busy.eq(Cat(queue.busy for queue in queues)),
            self.waiting.eq(Cat(queue.waiting for queue in queues)),
            self.finished.eq(self.running & all_at_end & last),
            go.eq(self.start & ~self.fetch | fetched),
            # All are at their end while nothing runs.
            begin.eq(all_at_end & Mux(self.running, ~last, go)),
            self.fetching.eq(fetch.running | fetched),
        ]
        m.d.sync += fetched.eq(fetch.finished & ~stop)
        with m.If(stop | self.finished):
            m.d.sync += self.running.eq(0)
        with m.Elif(begin):
            m.d.sync += [self.running.eq(1), following.eq(following + 1)]
        with m.If(~self.running & ~go):
            m.d.sync += following.eq(0)
        self._errors(m, queues, following, repeat, fetch)
        m.d.comb += stop.eq(self.error != 0)
        return m

    def _fetch(self, m: Module, fetch: Fetch, table: Table, stop: Signal) -> None:
        """Connects what fetches programs; LOAD's engine is its own while it runs."""
        firsts = Array(queue.first for queue in table.queues)
        lengths = Array(queue.length for queue in table.queues)
        wiring.connect(m, wiring.flipped(self.loaded), fetch.memory)
        m.d.comb += [
            fetch.start.eq(self.start & self.fetch & ~self.running),
            fetch.address.eq(self.code),
            fetch.segments.eq(self.segments),
            fetch.stop.eq(stop),
            fetch.first.eq(firsts[fetch.unit]),
            fetch.length.eq(lengths[fetch.unit]),
            fetch.finishing.eq(self.unit[Unit.LOAD].finishing),
        ]

    def _errors(
        self, m: Module, queues: list[Queue], following: Signal, repeat: Signal, fetch: Fetch
    ) -> None:
        """The first error: of those in one cycle what went wrong with fetching, or the lowest unit's.

        Errors come late in a cycle, and what stops the machine goes everywhere: so there are registers
        before the choice and behind it.
        """
        at = {"following": following, "repeat": repeat, "index": fetch.index}
        at |= {"segment": fetch.segment, "unit": fetch.unit}
        before = {name: Signal.like(value, name=f"{name}_before") for name, value in at.items()}
        m.d.sync += [before[name].eq(value) for name, value in at.items()]
        # What was wrong with fetching, then with every queue: codes, and whether there is one.
        codes, hits, indices, lefts = [], [], [], []
        code = Signal(8, name="fetch_code")
        expired = Mux(self.expired, WATCHDOG_ERROR, 0)
        load_error = self.unit[Unit.LOAD].error
        m.d.sync += code.eq(Mux(fetch.running, _first(fetch.error, load_error, expired), 0))
        codes.append(code)
        hits.append(code != 0)
        for k, queue in enumerate(queues):
            expired = Mux(self.expired & (queue.busy | queue.waiting), WATCHDOG_ERROR, 0)
            code = Signal(8, name=f"code{k}")
            index, left = Signal(INDEX_BITS, name=f"index{k}"), Signal(COUNT_BITS, name=f"left{k}")
            m.d.sync += [
                code.eq(Mux(self.running, _first(queue.error, self.unit[k].error, expired), 0)),
                index.eq(queue.index),
                left.eq(queue.left),
            ]
            codes.append(Mux(queue.never, ILLEGAL_FIELD, code))
            hits.append(queue.never | (code != 0))
            indices.append(index)
            lefts.append(left)
        first, found, error = Signal(1 + UNITS), Signal(FOUND), Signal(FOUND)
        m.d.comb += [
            first.eq(first_of(Cat(hits))),
            found.code.eq(of_one(first, codes)),
            found.index.eq(of_one(first, [before["index"], *indices])),
            found.unit.eq(of_one(first, [before["unit"], *range(UNITS)])),
            found.segment.eq(Mux(first[0], before["segment"], before["following"] - 1)),
            found.repeat.eq(Mux(first[0], 0, before["repeat"])),
            found.left.eq(of_one(first[1:], lefts)),
        ]
        failed, begun = Signal(), Signal()
        m.d.comb += begun.eq(self.start & self.idle)
        m.d.sync += [error.eq(found), error.code.eq(Mux(failed, 0, found.code))]
        with m.If(begun):
            m.d.sync += failed.eq(0)
        with m.Elif(found.code != 0):
            m.d.sync += failed.eq(1)
        m.d.comb += [
            self.error.eq(error.code),
            self.error_unit.eq(error.unit),
            self.error_segment.eq(error.segment),
            self.error_iteration.eq(error.repeat - error.left),
            self.error_index.eq(error.index),
        ]
        active = self.running | self.fetching
        late = Signal(ERROR_LATENCY)
        m.d.sync += late.eq(Cat(active, late[:-1]))
        m.d.comb += self.idle.eq(~active & ~late.any())


def _first(*codes: Any) -> Any:
    """The first that is not 0."""
    code, *others = codes
    return Mux(code != 0, code, _first(*others)) if others else code
