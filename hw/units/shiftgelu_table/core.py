"""ShiftGELU as a table: its element form is a function of one byte."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory
from numpy.typing import NDArray

from intarsia.hw.interfaces.stream import BUFFER_LATENCY, Core
from intarsia.hw.lib.tree import MAX_LEAVES
from intarsia.model.integer.arithmetic import requantize, shiftgelu

ENTRIES = 256


def table(i0: int, b: int, c: int) -> NDArray[np.int8]:
    """requantize(shiftgelu(x), b, c) in the element form, for x = 0..127, -128..-1."""
    x = np.arange(ENTRIES).astype(np.uint8).view(np.int8)
    entries = requantize(shiftgelu(x, i0, form="lambda-shift-elem"), b, c, out_bits=8)
    return np.asarray(entries, dtype=np.int8)


class ShiftgeluTable(Core):
    """out[r, k] = table[x[r, k]], a lookup per lane and cycle, where the host has filled the table.

    Parameters
    ----------
    lanes : elements per beat, 1..256, a power of two

    Members
    -------
    command : fill, rows, length. `fill`: the table's entries follow, and no result leaves; rows and
        length do not matter
    table : signed(8), the `ENTRIES` entries in the order of x as a uint8, as `table` makes them
    i : signed(8) by lane; every row begins a beat, lanes behind its end are ignored
    result : signed(8) by lane, zeros behind a row's end

    Timing: one beat or entry per cycle. From a command to its last result `rows_unit` cycles; to the
    next command's acceptance after a fill, `FILL` cycles. All stops together when a beat is missing or
    a result has no room.

    Range: rows and length in 1..65535, every x and every entry. Undefined before the first fill.
    """

    PIPELINE = 3 + 2 * BUFFER_LATENCY - 1
    """Start, lookup and result, and the buffers around them."""
    FILL = ENTRIES + 1

    def __init__(self, *, lanes: int) -> None:
        if not 1 <= lanes <= MAX_LEAVES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..{MAX_LEAVES}, not {lanes}")
        self.lanes = lanes
        super().__init__(
            command=data.StructLayout({"fill": 1, "rows": 16, "length": 16}),
            inputs={"table": signed(8), "i": data.ArrayLayout(signed(8), lanes)},
            result=data.ArrayLayout(signed(8), lanes),
        )

    @classmethod
    def rows_unit(cls, rows: int, length: int, lanes: int) -> int:
        """Cycles from the acceptance of a command for rows to its last result."""
        return rows * -(-length // lanes) + cls.PIPELINE

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes = self.lanes
        lane_bits = lanes.bit_length() - 1
        filling, entry = Signal(), Signal(range(ENTRIES))
        taking, last, ended = Signal(), Signal(), Signal()
        final = Signal(16 - lane_bits, reset_less=True)  # the number of a row's last beat
        beat = Signal.like(final, reset_less=True)
        rows_after = Signal(16, reset_less=True)
        outside = Signal(lanes, reset_less=True)  # lanes that a row's last beat leaves empty
        found, given = Signal(), Signal()
        m.d.comb += [
            self.table_want.eq(filling),
            self.i_want.eq(taking),
            self.idle.eq(~(filling | taking | found)),
            self.result_valid.eq(given),
            last.eq(beat == final),
        ]
        m.d.sync += [found.eq(taking), given.eq(found), ended.eq(last)]
        with m.If(self.start):
            tail = self.command.length[:lane_bits]
            m.d.sync += [
                filling.eq(self.command.fill),
                taking.eq(~self.command.fill),
                entry.eq(0),
                beat.eq(0),
                final.eq((self.command.length - 1)[lane_bits:16]),
                rows_after.eq(self.command.rows - 1),
                outside.eq(Cat((tail != 0) & (tail <= k) for k in range(lanes))),
            ]
        with m.If(filling):
            m.d.sync += [entry.eq(entry + 1), filling.eq(entry != ENTRIES - 1)]
        with m.If(taking):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            with m.If(last):
                m.d.sync += [rows_after.eq(rows_after - 1), taking.eq(rows_after != 0)]

        m.submodules.entries = entries = memory.Memory(shape=signed(8), depth=ENTRIES, init=[])
        written = entries.write_port()
        m.d.comb += [written.en.eq(filling), written.addr.eq(entry), written.data.eq(self.table)]
        for k in range(lanes):
            looked_up = entries.read_port()
            m.d.comb += [looked_up.en.eq(taking), looked_up.addr.eq(self.i[k])]
            m.d.sync += self.result[k].eq(Mux(ended & outside[k], 0, looked_up.data))
        return m
