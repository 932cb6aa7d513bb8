"""Division by a power of two, rounded half to even, and saturation of the quotient."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

COARSE = 16
"""The first stage shifts by multiples of this, the second by the rest."""
FINE_BITS = 4


class RoundShift(wiring.Component):
    """q = RHE(p / 2**c), the nearest integer, the even one of two.

    Parameters
    ----------
    width : bits of p
    bits : what q will be saturated to. A quotient beyond so many bits then need only be beyond
        them on the right side, which saves most of the second stage. None: q is always exact.

    Members
    -------
    p : In(signed(width)), c : In(6), sampled together
    q : Out, signed, of `width` bits, or with `bits` of not more than bits + 17

    Timing: latency `LATENCY` = 3, one quotient per cycle: a shift by a multiple of 16, one by 0..15,
    rounding. Both shifts keep two bits behind the point: the half, and whether anything lay below.

    Range: every p and c.
    """

    LATENCY = 3

    def __init__(self, width: int, bits: int | None = None) -> None:
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        if bits is not None and bits < 1:
            raise ValueError(f"bits must be at least 1, not {bits}")
        # What does not fit so many bits after the first stage is out of range after the second.
        self.kept = width if bits is None else min(width, bits + COARSE - 1)
        q_width = width if self.kept == width else self.kept + 2
        super().__init__({"p": In(signed(width)), "c": In(6), "q": Out(signed(q_width))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        kept = self.kept

        coarse = Signal(signed(kept), reset_less=True)
        rest = Signal(2, reset_less=True)  # whether anything is below the half, the half
        fine = Signal(FINE_BITS, reset_less=True)
        m.d.sync += fine.eq(self.c[:FINE_BITS])
        extended = Signal(signed(max(len(self.p), 3 * COARSE)))
        m.d.comb += extended.eq(self.p)
        with m.Switch(self.c[FINE_BITS:]):
            for k in range(4):
                with m.Case(k):
                    m.d.sync += coarse.eq(self.p.shift_right(k * COARSE))
                    half = max(k * COARSE - 1, 0)
                    m.d.sync += rest.eq(Cat(extended[:half].any(), extended[half]) if k else 0)

        number = Signal(signed(kept + 2))
        fraction = Signal(signed(kept + 2), reset_less=True)
        lost = Signal(reset_less=True)
        ones = Const(2 ** (COARSE - 1) - 1, COARSE - 1)
        m.d.comb += number.eq(Cat(rest, coarse))
        m.d.sync += [
            fraction.eq(number >> fine),
            lost.eq((number[: COARSE - 1] & ~(ones << fine)[: COARSE - 1]).any()),
        ]

        up = fraction[1] & (fraction[0] | lost | fraction[2])
        rounded = Signal(signed(kept + 1))
        q = Signal.like(self.q, name="q_register", reset_less=True)
        m.d.comb += [rounded.eq(fraction.shift_right(2) + up), self.q.eq(q)]
        if kept == len(self.p):
            m.d.sync += q.eq(rounded)
        else:
            beyond, negative = self._beyond(m)
            # 01... or 10...: too large for the bits below, whatever they are
            top = Mux(beyond, Cat(~negative, negative), rounded[-1].replicate(2))
            m.d.sync += q.eq(Cat(rounded[:kept], top))
        return m

    def _beyond(self, m: Module) -> tuple[Signal, Signal]:
        """In the cycle of the rounding: whether the first stage dropped bits, and the sign of p."""
        beyond, beyond_1 = (Signal(name=name, reset_less=True) for name in ("beyond", "beyond_1"))
        negative, negative_1 = (Signal(name=name, reset_less=True) for name in ("negative", "negative_1"))
        m.d.sync += [negative.eq(self.p[-1]), negative_1.eq(negative), beyond_1.eq(beyond)]
        with m.Switch(self.c[FINE_BITS:]):
            for k in range(4):
                with m.Case(k):
                    dropped = self.p[self.kept - 1 + k * COARSE :]  # and the sign that was kept
                    m.d.sync += beyond.eq(dropped.any() & ~dropped.all())
        return beyond_1, negative_1


def saturated(value: Value, bits: int) -> Value:
    """sat_bits(value) of a signed value, as signed(bits)."""
    sign = value[-1]
    outside = value[bits - 1 :]
    fits = outside.all() | ~outside.any()
    return Cat(Mux(fits, value[: bits - 1], (~sign).replicate(bits - 1)), sign).as_signed()
