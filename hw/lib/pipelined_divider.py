"""Division of a constant, one quotient per cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LONG = 14
"""A comparison of more bits is slow: what follows in its stage is done for both of its outcomes."""


class PipelinedDivider(wiring.Component):
    """quotient = dividend // divisor, where the dividend is a constant.

    Restoring division, unrolled. The dividend's bits come in from the top: after k of them the
    remainder is below both 2**k and the divisor, so it has only as many bits as that, and a divisor
    with a bit at k or above does not fit yet.

    Parameters
    ----------
    dividend : the constant, at least 1
    divisor_bits : width of the divisor
    digit_bits : bits of the quotient that a stage finds

    Members
    -------
    divisor : In, quotient : Out(bits of the dividend), a register

    Timing: latency ceil(bits of the dividend / digit_bits), one division per cycle.

    Range: every divisor; 0 gives a quotient of all ones.
    """

    def __init__(self, *, dividend: int, divisor_bits: int, digit_bits: int = 2) -> None:
        for name, value in (
            ("dividend", dividend),
            ("divisor_bits", divisor_bits),
            ("digit_bits", digit_bits),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.dividend, self.digit_bits = dividend, digit_bits
        self.bits = dividend.bit_length()
        super().__init__({"divisor": In(divisor_bits), "quotient": Out(self.bits)})

    @property
    def latency(self) -> int:
        """Cycles from a divisor to its quotient."""
        return -(-self.bits // self.digit_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        divisor: Value = self.divisor
        remainder: Value = Const(0, 0)
        quotient: Value = Const(0, 0)
        for stage in range(self.latency):
            first = stage * self.digit_bits
            end = min(first + self.digit_bits, self.bits)
            remainder, digit = self._digit(m, divisor, remainder, first, end)
            quotient = Cat(digit, quotient)
            if end == self.bits:
                m.d.sync += self.quotient.eq(quotient)
            else:
                held = {"divisor": divisor, "remainder": remainder, "quotient": quotient}
                registers = {
                    name: Signal(len(v), name=f"{name}{stage}", reset_less=True) for name, v in held.items()
                }
                m.d.sync += [registers[name].eq(v) for name, v in held.items()]
                divisor, remainder, quotient = registers.values()
        return m

    def _digit(self, m: Module, divisor: Value, remainder: Value, k: int, end: int) -> tuple[Value, Value]:
        """Remainder and digit after bits k..end-1 of the dividend."""
        width = len(divisor)
        bit = self.dividend >> (self.bits - 1 - k) & 1
        trial = Signal(min(k, width) + 1, name=f"trial{k}")
        difference = Signal(len(trial) + 1, name=f"difference{k}")
        fits = Signal(name=f"fits{k}")
        m.d.comb += [
            trial.eq(Cat(bit, remainder)),
            difference.eq(trial - divisor[: len(trial)]),
            fits.eq(~(difference[-1] | divisor[len(trial) :].any())),
        ]
        kept, reduced = trial[: min(k + 1, width)], difference[: min(k + 1, width)]
        if k + 1 == end:
            return Mux(fits, reduced, kept), fits
        if len(trial) <= LONG:
            chosen = Signal(len(kept), name=f"chosen{k}")
            m.d.comb += chosen.eq(Mux(fits, reduced, kept))
            rest, low = self._digit(m, divisor, chosen, k + 1, end)
            return rest, Cat(low, fits)
        fewer, low = self._digit(m, divisor, kept, k + 1, end)
        rest, high = self._digit(m, divisor, reduced, k + 1, end)
        return Mux(fits, rest, fewer), Cat(Mux(fits, high, low), fits)
