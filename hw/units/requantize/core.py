"""Requantization: int32 accumulators to int8 or int16 at a new scale."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.lib.multiply import Multiplier
from intarsia.hw.lib.round_shift import RoundShift, saturated


class RequantizeLane(wiring.Component):
    """o = sat_16(RHE((x * b + offset) / 2**c)), or sat_8 of it.

    Parameters
    ----------
    x_bits, b_bits : of the operands, up to 64 each
    offset_bits : of the offset, up to 64; 0: there is none

    Members
    -------
    x : In(signed(x_bits)), b : In(signed(b_bits)), c : In(6), wide : In(1)
    offset : In(signed(offset_bits)), if offset_bits is not 0
    o : Out(signed(16)), sat_16 if `wide` was high, else sat_8

    Timing: all inputs are sampled together; latency `LATENCY` = 7 at any width, one result per cycle.

    Range: all x, b, c; x * b + offset must fit the bits of x * b, or of the offset if it has more.
    """

    LATENCY = Multiplier.LATENCY + RoundShift.LATENCY + 1

    def __init__(self, *, x_bits: int, b_bits: int, offset_bits: int = 0) -> None:
        self.has_offset = offset_bits > 0
        self.multiplier = Multiplier(
            signed(x_bits), signed(b_bits), signed(offset_bits) if self.has_offset else None
        )
        offset = {"offset": In(signed(offset_bits))} if self.has_offset else {}
        super().__init__(
            {"x": In(signed(x_bits)), "b": In(signed(b_bits)), "c": In(6), "wide": In(1)}
            | offset
            | {"o": Out(signed(16))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.multiplier = multiplier = self.multiplier
        m.submodules.shift = shift = RoundShift(len(multiplier.p), bits=16)
        m.d.comb += [multiplier.a.eq(self.x), multiplier.b.eq(self.b)]
        if self.has_offset:
            m.d.comb += multiplier.addend.eq(self.offset)
        c, wide = self.c, self.wide
        for stage in range(Multiplier.LATENCY):
            delayed = Signal.like(self.c, name=f"c_{stage}", reset_less=True)
            m.d.sync += delayed.eq(c)
            c = delayed
        for stage in range(Multiplier.LATENCY + RoundShift.LATENCY):
            delayed = Signal.like(self.wide, name=f"wide_{stage}", reset_less=True)
            m.d.sync += delayed.eq(wide)
            wide = delayed
        m.d.comb += [shift.p.eq(multiplier.p), shift.c.eq(c)]
        o = Signal.like(self.o, name="o_register", reset_less=True)
        m.d.sync += o.eq(Mux(wide, saturated(shift.q, 16), saturated(shift.q, 8)))
        m.d.comb += self.o.eq(o)
        return m


class Requantizer(Core):
    """out = sat(RHE(wrap32(x + bias) * b / 2**c)), every lane with constants of its own.

    Parameters
    ----------
    lanes : accumulators per beat, a power of two in 1..256
    multiplier_bits : of b, 16 or 32

    Members
    -------
    command : {rows, wide, shared, bias[lanes], b[lanes], c[lanes]}; `wide`: sat_16, else sat_8;
        `shared`: the constants of lane 0 are those of all lanes
    i : signed(32) by lane, o : signed(16) by lane

    Timing: rows + `arch.isa.matmul.REQUANTIZE_PIPELINE` cycles. One vector per cycle, also from one
    command to the next: `idle` is high while the last row is awaited, for the constants of the rows
    in flight travel with them.

    Range: rows in 1..65535, every x, bias, b and c.
    """

    def __init__(self, *, lanes: int, multiplier_bits: int) -> None:
        if not 1 <= lanes <= 256 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..256, not {lanes}")
        if multiplier_bits not in (16, 32):
            raise ValueError(f"multiplier_bits must be 16 or 32, not {multiplier_bits}")
        self.lanes, self.multiplier_bits = lanes, multiplier_bits
        super().__init__(
            command=data.StructLayout(
                {
                    "rows": 16,
                    "wide": 1,
                    "shared": 1,
                    "bias": data.ArrayLayout(signed(32), lanes),
                    "b": data.ArrayLayout(signed(multiplier_bits), lanes),
                    "c": data.ArrayLayout(unsigned(6), lanes),
                }
            ),
            inputs={"i": data.ArrayLayout(signed(32), lanes)},
            result=data.ArrayLayout(signed(16), lanes),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = self.command
        rows_after = Signal(16)  # the one that is awaited
        taking = Signal()
        last = Signal()
        wide = Signal()
        m.d.comb += [self.i_want.eq(taking), self.idle.eq(~taking | last)]
        with m.If(self.start):
            m.d.sync += [
                rows_after.eq(command.rows - 1),
                taking.eq(1),
                last.eq(command.rows == 1),
                wide.eq(command.wide),
            ]
        with m.Elif(taking):
            m.d.sync += [rows_after.eq(rows_after - 1), taking.eq(~last), last.eq(rows_after == 1)]
        valid = Signal(1 + RequantizeLane.LATENCY)
        m.d.sync += valid.eq(Cat(taking, valid[:-1]))
        m.d.comb += self.result_valid.eq(valid[-1])
        wide_1 = Signal(reset_less=True)
        m.d.sync += wide_1.eq(wide)

        for k in range(self.lanes):
            m.submodules[f"lane_{k}"] = lane = RequantizeLane(x_bits=32, b_bits=self.multiplier_bits)
            held = {}
            for name in ("bias", "b", "c"):
                own, first = getattr(command, name)[k], getattr(command, name)[0]
                held[name] = Signal.like(own, name=f"{name}_{k}", reset_less=True)
                with m.If(self.start):
                    m.d.sync += held[name].eq(Mux(command.shared, first, own))
            # A command that starts now must not reach the row whose bias is added now.
            biased = Signal(signed(32), name=f"biased_{k}", reset_less=True)
            b = Signal.like(held["b"], name=f"b_1_{k}", reset_less=True)
            c = Signal.like(held["c"], name=f"c_1_{k}", reset_less=True)
            m.d.sync += [biased.eq(self.i[k] + held["bias"]), b.eq(held["b"]), c.eq(held["c"])]
            m.d.comb += [
                lane.x.eq(biased),
                lane.b.eq(b),
                lane.c.eq(c),
                lane.wide.eq(wide_1),
                self.result[k].eq(lane.o),
            ]
        return m
