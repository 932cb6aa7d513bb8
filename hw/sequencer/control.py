"""The control registers: a host fills in programs and starts them (docs/machine.md, section 9)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.isa import INSTRUCTION_BYTES
from intarsia.arch.machine import KEYS, Machine
from intarsia.hw.interfaces.axi import lite_bus
from intarsia.hw.interfaces.instruction import INSTRUCTION_BITS, WORD_BITS
from intarsia.hw.sequencer.counters import Counters
from intarsia.hw.sequencer.lite import Lite
from intarsia.hw.sequencer.queue import COUNT_BITS, INDEX_BITS, UNITS
from intarsia.hw.sequencer.segment_table import DESCRIPTOR_WORDS, SEGMENT_BITS, WORD_NUMBER_BITS
from intarsia.hw.sequencer.sequencer import ERROR as SEQUENCER_ERROR
from intarsia.hw.sequencer.sequencer import Sequencer

ADDRESS_BITS = 23
CONTROL, STATUS, CYCLES = 0x00, 0x04, 0x08
ERROR, ERROR_SEGMENT, ERROR_ITERATION, ERROR_INDEX = 0x10, 0x14, 0x18, 0x1C
SEGMENTS, IDENTITY, VERSION, DEPTH, TABLE_DEPTH = 0x20, 0x24, 0x28, 0x2C, 0x30
CODE, TRANSFERS = 0x34, 0x38
UNIT_COUNTERS, UNIT_STRIDE = 0x100, 16
PARAMETERS = 0x200
TABLE, TABLE_STRIDE = 0x1000, 128
PROGRAMS, PROGRAM_STRIDE = 0x100000, 0x100000
MAX_DEPTH = PROGRAM_STRIDE // INSTRUCTION_BYTES

MAGIC = int.from_bytes(b"INTA", "little")
REGISTERS_VERSION = 1
PARAMETER_FIELDS = tuple(field for _, field, allowed in KEYS if allowed is not None)
"""Of the machine, in the order of docs/machine.md, section 1: what the registers from PARAMETERS on say."""

START, FETCH = 1, 2
"""Bits of CONTROL."""
RUNNING, DONE, FAILED = 1, 2, 4
"""Bits of STATUS."""


class Control(wiring.Component):
    """AXI4-Lite on one side, the sequencer on the other.

    Parameters
    ----------
    machine : whose parameters the host reads
    depth : instructions per queue, at most 32768;  segments : that the table holds, both as the sequencer's

    Members
    -------
    bus : In(lite_bus(23))
    write, write_unit, write_address, write_data, describe, describe_segment, describe_word,
        describe_data, segments, start, fetch, code : Out, registers
    running, idle, busy, waiting, error, error_unit, error_segment, error_iteration, error_index : In
        These and the ones before are the sequencer's members of the same names; `attach` connects them.
    quiet : In(1), no engine has anything left to take from the bus or to give it
    moved : In(1), bytes cross the memory port

    Timing: a write reaches the sequencer a cycle after it was paired with its data. The status shows
    that the machine runs until the sequencer has stopped and all is quiet; until then writes are refused.
    """

    def __init__(self, machine: Machine, *, depth: int, segments: int) -> None:
        if not 1 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth must be in 1..{MAX_DEPTH}, not {depth}")
        if not 1 <= segments <= 1 << SEGMENT_BITS:
            raise ValueError(f"segments must be in 1..{1 << SEGMENT_BITS}, not {segments}")
        self.machine, self.depth, self.table_depth = machine, depth, segments
        super().__init__(
            {
                "bus": In(lite_bus(ADDRESS_BITS)),
                "write": Out(1),
                "write_unit": Out(3),
                "write_address": Out(INDEX_BITS),
                "write_data": Out(INSTRUCTION_BITS),
                "describe": Out(1),
                "describe_segment": Out(SEGMENT_BITS),
                "describe_word": Out(WORD_NUMBER_BITS),
                "describe_data": Out(32),
                "segments": Out(SEGMENT_BITS + 1),
                "start": Out(1),
                "fetch": Out(1),
                "code": Out(WORD_BITS),
                "running": In(1),
                "idle": In(1),
                "busy": In(UNITS),
                "waiting": In(UNITS),
                "error": In(8),
                "error_unit": In(3),
                "error_segment": In(SEGMENT_BITS),
                "error_iteration": In(COUNT_BITS),
                "error_index": In(INDEX_BITS),
                "quiet": In(1),
                "moved": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.lite = lite = Lite(address_bits=ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.bus), lite.bus)
        m.submodules.counters = counters = Counters()
        m.d.comb += [
            counters.clear.eq(self.start),
            counters.running.eq(self.running),
            counters.busy.eq(self.busy),
            counters.waiting.eq(self.waiting),
            counters.moved.eq(self.moved),
        ]
        active, done, error = Signal(), Signal(), Signal(SEQUENCER_ERROR)
        with m.If(active & ~self.start & self.idle & self.quiet):
            m.d.sync += [active.eq(0), done.eq(error.code == 0)]
        with m.If(self.error != 0):
            m.d.sync += [
                error.code.eq(self.error),
                error.unit.eq(self.error_unit),
                error.segment.eq(self.error_segment),
                error.iteration.eq(self.error_iteration),
                error.index.eq(self.error_index),
            ]
        self._writes(m, lite, active)
        with m.If(self._starts(lite, active)):
            m.d.sync += [
                self.start.eq(1),
                self.fetch.eq(lite.write_data[FETCH >> 1]),
                active.eq(1),
                done.eq(0),
                error.eq(0),
            ]
        self._reads(m, lite, counters, Cat(active, done, error.code != 0), error)
        return m

    def attach(self, m: Module, sequencer: Sequencer) -> None:
        """Connects all that the two have in common."""
        for name, member in self.signature.members.items():
            if name in sequencer.signature.members:
                ours, theirs = getattr(self, name), getattr(sequencer, name)
                m.d.comb += theirs.eq(ours) if member.flow == Out else ours.eq(theirs)

    def _starts(self, lite: Lite, active: Value) -> Value:
        """A program is started in this cycle."""
        start = (lite.write_address == CONTROL) & lite.write_data[0]
        return lite.write & start & ~active & (self.segments != 0)

    def _writes(self, m: Module, lite: Lite, active: Value) -> None:
        """What a write changes, while nothing runs; it is refused if that is nothing."""
        address, word = lite.write_address, lite.write_data
        known = Signal()
        column = address[2:7]  # of a segment's words
        row = address[7:20] - TABLE // TABLE_STRIDE
        place = address[5:20]  # of an instruction
        begun = Signal(INSTRUCTION_BITS - WORD_BITS)  # an instruction's words but the last
        change = Signal()
        m.d.comb += [change.eq(lite.write & known & ~active), lite.refused.eq(~known | active)]
        m.d.sync += [
            self.start.eq(0),
            self.write.eq(0),
            self.describe.eq(0),
            self.describe_segment.eq(row),
            self.describe_word.eq(column),
            self.describe_data.eq(word),
            self.write_unit.eq(address[20:] - 1),
            self.write_address.eq(place),
        ]
        with m.If(address[:2] != 0):
            m.d.comb += known.eq(0)
        with m.Elif(address[20:] != 0):
            m.d.comb += known.eq(place < self.depth)
            with m.If(change):
                with m.If(address[2:5] == 7):
                    m.d.sync += [self.write.eq(1), self.write_data.eq(Cat(begun, word))]
                with m.Else():
                    m.d.sync += begun.word_select(address[2:5], WORD_BITS).eq(word)
        with m.Elif(address >= TABLE):
            m.d.comb += known.eq((row < self.table_depth) & (column < DESCRIPTOR_WORDS))
            m.d.sync += self.describe.eq(change)
        with m.Elif(address == SEGMENTS):
            m.d.comb += known.eq((word != 0) & (word <= self.table_depth))
            with m.If(change):
                m.d.sync += self.segments.eq(word)
        with m.Elif(address == CODE):
            m.d.comb += known.eq(word % INSTRUCTION_BYTES == 0)
            with m.If(change):
                m.d.sync += self.code.eq(word)
        with m.Elif(address == CONTROL):
            m.d.comb += known.eq(~word[0] | (self.segments != 0))

    def _reads(self, m: Module, lite: Lite, counters: Counters, status: Value, error: Any) -> None:
        """What stands where; 0 anywhere else."""
        registers: dict[int, Any] = {
            STATUS: status,
            ERROR: Cat(error.code, error.unit),
            ERROR_SEGMENT: error.segment,
            ERROR_ITERATION: error.iteration,
            ERROR_INDEX: error.index,
            SEGMENTS: self.segments,
            IDENTITY: MAGIC,
            VERSION: REGISTERS_VERSION,
            DEPTH: self.depth,
            TABLE_DEPTH: self.table_depth,
            CODE: self.code,
        }
        for k, name in enumerate(PARAMETER_FIELDS):
            registers[PARAMETERS + 4 * k] = getattr(self.machine, name)
        long: dict[int, Any] = {CYCLES: counters.cycles, TRANSFERS: counters.transfers}
        for unit in range(UNITS):
            at = UNIT_COUNTERS + UNIT_STRIDE * unit
            long |= {at: counters.unit_busy[unit], at + 8: counters.unit_waiting[unit]}
        for at, value in long.items():
            registers |= {at: value[:32], at + 4: value[32:]}
        with m.Switch(lite.read_address):
            for at, value in registers.items():
                with m.Case(at):
                    m.d.comb += lite.read_data.eq(value)
