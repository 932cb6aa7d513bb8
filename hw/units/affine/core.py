"""LayerNorm's output stage: every channel at its own scale, with its own offset."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.units.requantize.core import RequantizeLane


class Affine(Core):
    """out = sat(RHE((x * b + offset) / 2**c)), b and offset of every element beside it.

    Parameters
    ----------
    lanes : elements per beat, a power of two in 1..256

    Members
    -------
    command : {rows, c, wide}; rows: beats; `wide`: sat_16, else sat_8
    i : signed(32) by lane, constants : {b : signed(32) by lane, offset : signed(64) by lane}; both
        streams move together
    result : signed(16) by lane

    Timing: rows + `arch.isa.matmul.REQUANTIZE_PIPELINE` cycles, one beat per cycle. A command waits
    until the results of the one before have left the pipeline.

    Range: rows in 1..65535, every b and c, x and offset as long as x * b + offset fits 64 bits:
    |x| <= 2**30 and |offset| <= 2**62, for example.
    """

    def __init__(self, *, lanes: int) -> None:
        if not 1 <= lanes <= 256 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..256, not {lanes}")
        self.lanes = lanes
        super().__init__(
            command=data.StructLayout({"rows": 16, "c": 6, "wide": 1}),
            inputs={
                "i": data.ArrayLayout(signed(32), lanes),
                "constants": data.StructLayout(
                    {
                        "b": data.ArrayLayout(signed(32), lanes),
                        "offset": data.ArrayLayout(signed(64), lanes),
                    }
                ),
            },
            result=data.ArrayLayout(signed(16), lanes),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        c = Signal(6, reset_less=True)
        wide = Signal(reset_less=True)
        rows_after = Signal(16)  # the one that is awaited
        last = Signal()
        started = Signal()  # a cycle for which the requantizer, as long, has a use: it adds a bias
        taking = Signal()
        with m.If(self.start):
            m.d.sync += [
                c.eq(self.command.c),
                wide.eq(self.command.wide),
                rows_after.eq(self.command.rows - 1),
                last.eq(self.command.rows == 1),
            ]
        with m.Elif(taking):
            m.d.sync += [rows_after.eq(rows_after - 1), last.eq(rows_after == 1)]
        valid = Signal(RequantizeLane.LATENCY)
        m.d.sync += [
            started.eq(self.start),
            taking.eq(started | (taking & ~last)),
            valid.eq(Cat(taking, valid[:-1])),
        ]
        m.d.comb += [
            self.i_want.eq(taking),
            self.constants_want.eq(taking),
            self.idle.eq(~started & ~taking & ~valid[:-1].any()),
            self.result_valid.eq(valid[-1]),
        ]
        for k in range(self.lanes):
            lane = RequantizeLane(x_bits=32, b_bits=32, offset_bits=64)
            m.submodules[f"lane_{k}"] = lane
            m.d.comb += [
                lane.x.eq(self.i[k]),
                lane.b.eq(self.constants.b[k]),
                lane.offset.eq(self.constants.offset[k]),
                lane.c.eq(c),
                lane.wide.eq(wide),
                self.result[k].eq(lane.o),
            ]
        return m
