"""The accumulators of the MAC array: one bank adds up while the other one drains."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from intarsia.hw.interfaces.ports import UNCHECKED


def step_layout(rows: int) -> data.StructLayout:
    """What the accumulators do in one cycle: add to `row` of bank `bank`, drain `row` of the other one.

    add : add a row of dot products; first : to zero, not to what the bank holds
    high : the dot products are of high bytes, that is 256 times as much
    drain : put the row of the other bank on the result
    """
    return data.StructLayout(
        {"row": ceil_log2(rows), "bank": 1, "add": 1, "first": 1, "high": 1, "drain": 1}
    )


class Accumulator(wiring.Component):
    """bank[row, lane] += dot[lane] * (256 if high else 1), wrapping at 32 bits; the other bank drains.

    Parameters
    ----------
    lanes : dot products per row
    rows : rows of each bank
    dot : shape of a dot product, signed, at most 24 bits

    Members
    -------
    step : In(step_layout), what to do
    dot : In(dot).array(lanes), the dot products of the step of two cycles before
    result : Out(lanes of int32), result_valid : Out(1), registers: a row that drains

    Timing: one step per cycle: read, add, write. A drained row is on `result` LATENCY = 2 cycles after
    its step. A row may be added to again, or drained, 4 cycles after the step that added to it, no sooner.
    Range: all int32; sums wrap.
    """

    LATENCY = 2

    def __init__(self, *, lanes: int, rows: int, dot: Shape) -> None:
        self.lanes, self.rows = lanes, rows
        super().__init__(
            {
                "step": In(step_layout(rows)),
                "dot": In(dot).array(lanes),
                "result": Out(data.ArrayLayout(signed(32), lanes)),
                "result_valid": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        read = Signal(step_layout(self.rows))
        add = Signal(step_layout(self.rows))
        write = Signal(step_layout(self.rows))
        m.d.sync += [read.eq(self.step), add.eq(read), write.eq(add)]
        before = Signal(32 * self.lanes, reset_less=True)
        drained = Signal(32 * self.lanes, reset_less=True)
        total = Signal(32 * self.lanes, reset_less=True)
        banks = []
        for k in range(2):
            m.submodules[f"bank{k}"] = bank = memory.Memory(
                shape=32 * self.lanes, depth=self.rows, init=[], attrs=UNCHECKED
            )
            reader, writer = bank.read_port(), bank.write_port()
            m.d.comb += [
                reader.addr.eq(self.step.row),
                reader.en.eq(Mux(self.step.bank == k, self.step.add, self.step.drain)),
                writer.addr.eq(write.row),
                writer.en.eq(write.add & (write.bank == k)),
                writer.data.eq(total),
            ]
            banks.append(reader.data)
        # A block RAM takes half of the cycle to answer, so a register stands between it and the adder.
        even, odd = banks
        m.d.sync += [
            before.eq(Mux(read.first, 0, Mux(read.bank, odd, even))),
            drained.eq(Mux(read.bank, even, odd)),
        ]
        for lane, dot in enumerate(self.dot):
            addend = Mux(add.high, dot.shift_left(8), dot)
            m.d.sync += total.word_select(lane, 32).eq(before.word_select(lane, 32) + addend)
        m.d.comb += self.result.eq(drained)
        m.d.sync += self.result_valid.eq(read.drain)
        return m
