"""The residual connection: two int16 tensors, each at its own scale, to one."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.lib.multiply import Multiplier
from intarsia.hw.lib.round_shift import RoundShift, saturated


class Residual(Core):
    """out = sat_16(RHE(x * b1 / 2**c1) + RHE(identity * b2 / 2**c2)), the sum exact.

    Parameters
    ----------
    lanes : elements per beat, a power of two in 1..256

    Members
    -------
    command : {rows, length, b1, c1, b2, c2}
    i : x, identity : signed(16) by lane; every row begins a beat; both streams move together
    result : signed(16) by lane; lanes behind the end of a row are 0

    Timing: rows * ceil(length / lanes) + `arch.isa.residual.RESIDUAL_PIPELINE` cycles, one beat per cycle.
    A command waits until the results of the one before have left the pipeline.

    Range: rows and length in 1..65535, every x, identity, b1, b2, c1, c2.
    """

    LATENCY = Multiplier.LATENCY + RoundShift.LATENCY + 2

    def __init__(self, *, lanes: int) -> None:
        if not 1 <= lanes <= 256 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..256, not {lanes}")
        self.lanes = lanes
        super().__init__(
            command=data.StructLayout(
                {"rows": 16, "length": 16, "b1": signed(32), "c1": 6, "b2": signed(32), "c2": 6}
            ),
            inputs={
                "i": data.ArrayLayout(signed(16), lanes),
                "identity": data.ArrayLayout(signed(16), lanes),
            },
            result=data.ArrayLayout(signed(16), lanes),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Constants and lanes of a row's end stay until the pipeline is empty: every stage may use them.
        constants = {
            name: Signal.like(getattr(self.command, name), reset_less=True)
            for name in ("b1", "c1", "b2", "c2")
        }
        with m.If(self.start):
            m.d.sync += [held.eq(getattr(self.command, name)) for name, held in constants.items()]
        taking, last_beat, tail = self._rows(m)
        valid = Signal(self.LATENCY)
        last = Signal(self.LATENCY - 1, reset_less=True)
        m.d.sync += [valid.eq(Cat(taking, valid[:-1])), last.eq(Cat(last_beat, last[:-1]))]
        m.d.comb += [
            self.i_want.eq(taking),
            self.identity_want.eq(taking),
            self.idle.eq(~taking & ~valid[:-1].any()),
            self.result_valid.eq(valid[-1]),
        ]
        for k in range(self.lanes):
            terms = []
            operands = (("x", self.i, "b1", "c1"), ("identity", self.identity, "b2", "c2"))
            for name, stream, b, c in operands:
                multiplier = Multiplier(signed(16), signed(32))
                shift = RoundShift(len(multiplier.p))
                m.submodules[f"{name}_product_{k}"] = multiplier
                m.submodules[f"{name}_shift_{k}"] = shift
                m.d.comb += [
                    multiplier.a.eq(stream[k]),
                    multiplier.b.eq(constants[b]),
                    shift.p.eq(multiplier.p),
                    shift.c.eq(constants[c]),
                ]
                terms.append(shift.q)
            total = Signal((terms[0] + terms[1]).shape(), name=f"sum_{k}", reset_less=True)
            out = Signal(signed(16), name=f"out_{k}", reset_less=True)
            inside = ~last[-1] | tail[k]
            m.d.sync += [
                total.eq(terms[0] + terms[1]),
                out.eq(Mux(inside, saturated(total, 16), 0)),
            ]
            m.d.comb += self.result[k].eq(out)
        return m

    def _rows(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """Counts the beats of all rows: whether one is wanted, whether it is a row's last, and which lanes
        of such a beat belong to the row."""
        lane_bits = self.lanes.bit_length() - 1
        taking = Signal()
        rows_after = Signal(16)  # the present one
        last_row = Signal()
        beats = Signal(16 - lane_bits)  # of a row, less 1
        single = Signal()  # beats of a row: 1
        beats_after = Signal.like(beats)
        last_beat = Signal()
        tail = Signal(self.lanes)
        last = self.command.length - 1
        with m.If(self.start):
            one = last[lane_bits:16] == 0
            m.d.sync += [
                taking.eq(1),
                rows_after.eq(self.command.rows - 1),
                last_row.eq(self.command.rows == 1),
                beats.eq(last[lane_bits:16]),
                single.eq(one),
                beats_after.eq(last[lane_bits:16]),
                last_beat.eq(one),
                tail.eq(Cat(last[:lane_bits] >= k for k in range(self.lanes))),
            ]
        with m.Elif(taking & last_beat):
            m.d.sync += [
                taking.eq(~last_row),
                rows_after.eq(rows_after - 1),
                last_row.eq(rows_after == 1),
                beats_after.eq(beats),
                last_beat.eq(single),
            ]
        with m.Elif(taking):
            m.d.sync += [beats_after.eq(beats_after - 1), last_beat.eq(beats_after == 1)]
        return taking, last_beat, tail
