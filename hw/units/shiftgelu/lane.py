"""One lane of ShiftGELU, from an element and its row's maximum to the requantized product."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.lib.multiply import Multiplier
from intarsia.hw.lib.pipelined_divider import PipelinedDivider
from intarsia.hw.units.requantize.core import RequantizeLane
from intarsia.hw.units.shift_exp.core import ShiftExp

E_BITS = 31
I31 = (1 << E_BITS) - 1
SIGMOID_BITS = 7
X_SHAPE, I_P_SHAPE = signed(8), signed(9)


def i_p(x: Value, scaled: Value) -> Value:
    """I_p, 9 bits."""
    return Mux(scaled, (x + (x >> 1)) + ((x >> 3) + (x >> 4)), x)[:9].as_signed()


def past(m: Module, name: str, bit: Value, length: int) -> Signal:
    """Bit k is what `bit` was k + 1 cycles ago."""
    bits = Signal(length, name=name)
    m.d.sync += bits.eq(Cat(bit, bits[:-1]))
    return bits


class ShiftgeluLane(wiring.Component):
    """One element per cycle, from x to the result.

    Exponentials that stop at I31 give the same sigmoid, and with e1 <= s the product e1 * (I31 // s) is
    at most I31: its upper bits need no cap. Where s = 0 the quotient is I31, so e1 = 1 makes a sigmoid
    of 127; and with x = 0 any sigmoid will do.

    Members
    -------
    x : as a memory gives it
    row_maximum : m of the row forms, TO_I_P cycles after x
    common : the exponential that all lanes share, ShiftExp.LATENCY + 1 cycles after row_maximum
    x_again : the same x, `to_again` cycles later
    slot : counts cycles, modulo the divider's latency
    i0, n, bound, scaled, element, b, c, wide : of the command, stable as long as it has elements here
    o : `latency` cycles after x

    Timing: one element per cycle, latency `latency` for all forms.

    Range: as `hw.units.shiftgelu.core.Shiftgelu`.
    """

    TO_I_P = 2
    """From x to I_p."""

    def __init__(self) -> None:
        self.divider = PipelinedDivider(dividend=I31, divisor_bits=E_BITS)
        self.to_e = self.TO_I_P + 1 + ShiftExp.LATENCY
        self.to_sigmoid = self.to_e + 1 + self.divider.latency + Multiplier.LATENCY
        self.to_again = self.to_sigmoid - 1
        self.latency = self.to_sigmoid + 1 + RequantizeLane.LATENCY
        super().__init__(
            {
                "x": In(X_SHAPE),
                "x_again": In(X_SHAPE),
                "row_maximum": In(I_P_SHAPE),
                "common": In(E_BITS),
                "slot": In(range(self.divider.latency)),
                "i0": In(24),
                "n": In(5),
                "bound": In(6),
                "scaled": In(1),
                "element": In(1),
                "b": In(signed(32)),
                "c": In(6),
                "wide": In(1),
                "o": Out(signed(16)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.exponential = exponential = ShiftExp(d_bits=10, positive=False)
        m.submodules.divider = divider = self.divider
        m.submodules.multiplier = multiplier = Multiplier(unsigned(E_BITS), unsigned(E_BITS))
        m.submodules.requantize = requantize = RequantizeLane(x_bits=8 + SIGMOID_BITS, b_bits=32)

        x = Signal(X_SHAPE, reset_less=True)
        argument = Signal(I_P_SHAPE, reset_less=True)
        d = Signal(signed(10), reset_less=True)
        negative = argument[-1]
        minuend = Mux(self.element & ~negative, 0, argument)
        subtrahend = Mux(self.element, Mux(negative, 0, argument), self.row_maximum)
        m.d.sync += [x.eq(self.x), argument.eq(i_p(x, self.scaled)), d.eq(minuend - subtrahend)]
        m.d.comb += [
            exponential.d.eq(d),
            exponential.i0.eq(self.i0),
            exponential.n.eq(self.n),
            exponential.bound.eq(self.bound),
        ]

        # e1 is the common exponential where the element is its own maximum.
        rises = past(m, "rises", ~negative, self.to_e - self.TO_I_P)[-1]
        own, common = exponential.e, self.common
        nothing, total = Signal(), Signal(E_BITS + 1)
        e1 = Signal(E_BITS)
        m.d.comb += [
            nothing.eq(~own.any() & ~common.any()),
            total.eq(own + common),
            e1.eq(Mux(self.element & rises, common, own) | (nothing & rises)),
        ]
        s = Signal(E_BITS, reset_less=True)
        m.d.sync += s.eq(total[:-1] | total[-1].replicate(E_BITS))

        # While the divider works e1 waits in a memory: written once per cycle, read as many cycles later
        # as it has words.
        m.submodules.waiting = waiting = memory.Memory(shape=E_BITS, depth=divider.latency, init=[])
        written, read = waiting.write_port(), waiting.read_port()
        e1_waited = Signal(E_BITS, reset_less=True)
        m.d.sync += e1_waited.eq(read.data)
        m.d.comb += [
            written.en.eq(1),
            written.addr.eq(self.slot),
            written.data.eq(e1),
            read.addr.eq(self.slot + 1),
            divider.divisor.eq(s),
            multiplier.a.eq(e1_waited),
            multiplier.b.eq(divider.quotient),
        ]

        x_again = Signal(X_SHAPE, reset_less=True)
        gelu = Signal(signed(8 + SIGMOID_BITS), reset_less=True)
        m.d.sync += [
            x_again.eq(self.x_again),
            gelu.eq(x_again * multiplier.p[E_BITS - SIGMOID_BITS : E_BITS]),
        ]
        m.d.comb += [
            requantize.x.eq(gelu),
            requantize.b.eq(self.b),
            requantize.c.eq(self.c),
            requantize.wide.eq(self.wide),
            self.o.eq(requantize.o),
        ]
        return m
