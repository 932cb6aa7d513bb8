"""Scores of a grid of patches to the label of every pixel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.utils import ceil_log2

from intarsia.arch.duration import ceil_div
from intarsia.hw.interfaces.stream import BUFFER_LATENCY, Core
from intarsia.hw.lib.tree import MAX_LEAVES
from intarsia.hw.units.argmax.core import Argmax
from intarsia.hw.units.expand.core import Expand


class Upsample(Core):
    """label[y, x] = argmax over classes of score[y // factor, x // factor].

    A row of the grid becomes labels while the row before leaves, `factor` times. Two rows of labels
    are kept: one is written while the other is read.

    Parameters
    ----------
    lanes : scores and labels per beat, 1..256, a power of two
    max_length : the longest row of the grid

    Members
    -------
    command : {rows : 16, length : 16, classes : 16, factor : 16}, all at least 1: height and width of
        the grid, scores of a patch, pixels of a patch each way
    i : signed(16) by lane, the scores of one patch after the other, row by row; each patch begins a
        beat, lanes behind its last class are ignored
    result : unsigned(16) by lane, rows * factor rows of length * factor labels; each begins a beat,
        zeros stand behind its end

    Timing: `cycles`. Both halves begin a row of the grid together, when both have ended the one before.

    Range: all scores; of equal ones the first class wins.
    """

    def __init__(self, *, lanes: int, max_length: int = 1024) -> None:
        if not 1 <= lanes <= MAX_LEAVES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..{MAX_LEAVES}, not {lanes}")
        if not 1 <= max_length <= 65535:
            raise ValueError(f"max_length must be in 1..65535, not {max_length}")
        self.lanes, self.max_length = lanes, max_length
        super().__init__(
            command=data.StructLayout({"rows": 16, "length": 16, "classes": 16, "factor": 16}),
            inputs={"i": data.ArrayLayout(signed(16), lanes)},
            result=data.ArrayLayout(unsigned(16), lanes),
        )

    def cycles(self, rows: int, length: int, classes: int, factor: int) -> int:
        """From the command's acceptance to the last result, when nothing is waited for."""
        reading = length * ceil_div(classes, self.lanes) + Argmax.LATENCY
        writing = factor * ceil_div(length * factor, self.lanes) + Expand.LATENCY - 1
        return 2 * BUFFER_LATENCY + 1 + reading + (rows - 1) * max(reading, writing) + writing

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.argmax = argmax = Argmax(lanes=self.lanes)
        m.submodules.expand = expand = Expand(lanes=self.lanes)
        lane_bits = self.lanes.bit_length() - 1
        beat_bits = ceil_log2(ceil_div(self.max_length, self.lanes))
        row_of_labels = data.ArrayLayout(unsigned(16), self.lanes)
        m.submodules.labels = labels = Memory(shape=row_of_labels, depth=2 << beat_bits, init=[])
        write, read = labels.write_port(granularity=1), labels.read_port()

        # In a turn the next row of the grid becomes labels, and the one before leaves.
        rows_left = Signal(16)
        to_leave = Signal()
        turn = Signal()
        bank = Signal()
        length = Signal(16)
        classes = Signal(16)
        factor = Signal(16)
        last_beat = Signal(beat_bits)
        m.d.comb += [
            self.idle.eq((rows_left == 0) & ~to_leave & argmax.idle & expand.idle),
            turn.eq(~self.idle & argmax.idle & expand.idle),
            argmax.start.eq(turn & (rows_left != 0)),
            argmax.command.rows.eq(length),
            argmax.command.length.eq(classes),
            expand.start.eq(turn & to_leave),
            expand.command.rows.eq(factor),
            expand.command.length.eq(length),
            expand.command.factor.eq(factor),
        ]
        with m.If(self.start):
            m.d.sync += [
                rows_left.eq(self.command.rows),
                length.eq(self.command.length),
                last_beat.eq((self.command.length - 1)[lane_bits : lane_bits + beat_bits]),
                classes.eq(self.command.classes),
                factor.eq(self.command.factor),
            ]
        with m.Elif(turn):
            m.d.sync += [to_leave.eq(argmax.start), rows_left.eq(rows_left - argmax.start), bank.eq(~bank)]

        written = Signal(lane_bits + beat_bits)
        with m.If(argmax.start):
            m.d.sync += written.eq(0)
        with m.Elif(argmax.result_valid):
            m.d.sync += written.eq(written + 1)
        m.d.comb += [
            argmax.i.eq(self.i),
            self.i_want.eq(argmax.i_want),
            write.addr.eq(Cat(written[lane_bits:], bank)),
            write.data.eq(argmax.result.replicate(self.lanes)),
        ]
        for k in range(self.lanes):
            m.d.comb += write.en[k].eq(argmax.result_valid & (written[:lane_bits] == k))

        # The beat that is taken in the next cycle is read in this one.
        beat = Signal(beat_bits)
        next_beat = Signal(beat_bits)
        m.d.sync += beat.eq(next_beat)
        with m.If(expand.start):
            m.d.comb += next_beat.eq(0)
        with m.Elif(expand.i_want):
            m.d.comb += next_beat.eq(Mux(beat == last_beat, 0, beat + 1))
        with m.Else():
            m.d.comb += next_beat.eq(beat)
        m.d.comb += [
            read.addr.eq(Cat(next_beat, ~bank)),
            expand.i.eq(read.data),
            self.result.eq(expand.result),
            self.result_valid.eq(expand.result_valid),
        ]
        return m
