"""ShiftExp: the exponential of Shiftmax and ShiftGELU by shifts and one small division."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.stream import BUFFER_LATENCY, Core

NO_CLAMP = 63
"""A bound that changes nothing: e is 0 before."""
_DIGITS = 6


def clamp(n: int, lam: int | None) -> int:
    """The largest quotient that the left bound -lam * n * i0 admits; lam = None: no bound."""
    return NO_CLAMP if lam is None else min(lam * n, NO_CLAMP)


class ShiftExp(wiring.Component):
    """One lane: e = min(shift_exp(d, i0, n, lam), I31), about i0 * 2**n * exp(d / i0).

        p = d + (d >> 1) - (d >> 4)
        d <= 0: Q, R = divmod(-p, i0);     q = Q;       v = 2 * i0 - R; where Q >= bound: q = bound, R = 0
        d > 0:  Q, R = divmod(p - 1, i0);  q = -Q - 1;  v = i0 + R + 1: the quotient rounded up
        e = min(floor(v * 2**(n - 1 - q)), 2**31 - 1)

    Q stops at 63: e is 0 before for d <= 0, and saturates before for d > 0.

    Parameters
    ----------
    d_bits : width of d with its sign, 8..10
    positive : whether d may be positive; without it the lane is smaller

    Members
    -------
    d : In(signed(d_bits))
    i0 : In(24), 1..2**23;  n : In(5), 1..31;  bound : In(6), `clamp(n, lam)`; all three stable from the
        cycle of d to that of its e
    e : Out(31)

    Timing: latency LATENCY = 7, one result per cycle.

    Range: exact for every d, i0, n, and lam in 1..65535 or None (sim/units/shift_exp/bench.py).
    """

    LATENCY = 7

    def __init__(self, *, d_bits: int, positive: bool = True) -> None:
        if not 8 <= d_bits <= 10:
            raise ValueError(f"d_bits must be in 8..10, not {d_bits}")
        self.d_bits, self.positive = d_bits, positive
        super().__init__({"d": In(signed(d_bits)), "i0": In(24), "n": In(5), "bound": In(6), "e": Out(31)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, d, i0 = self.d_bits, self.d, self.i0

        rest = Signal(width, name="dividend", reset_less=True)
        rises: Value = Const(0, 1)
        falling = (d >> 4) - (d >> 1) - d
        if self.positive:
            m.d.sync += rest.eq(Mux(d > 0, d + (d >> 1) + ~(d >> 4), falling))
            rises = _delayed(m, "rises0", d > 0)
        else:
            m.d.sync += rest.eq(falling)

        # Restoring division, two digits per stage. Where Q would exceed 63 every digit is 1 and R is
        # wrong, but then e is the bound's (d <= 0) or saturates whatever v is (d > 0).
        beyond = Signal(_DIGITS, reset_less=True)  # i0 << k exceeds every dividend
        m.d.sync += beyond.eq(Cat(i0[width - k :].any() for k in range(_DIGITS)))
        quotient: Value = Const(0, 0)
        for stage in range(1, _DIGITS // 2 + 1):
            value: Value = rest
            for k in (_DIGITS - 2 * stage + 1, _DIGITS - 2 * stage):
                difference = Signal(signed(width - k + 1), name=f"difference{k}")
                digit = Signal(name=f"digit{k}")
                m.d.comb += difference.eq(value[k:] - i0[: width - k])
                m.d.comb += digit.eq(~difference[-1] & ~beyond[k])
                value = Cat(value[:k], Mux(digit, difference[:-1], value[k:]))
                quotient = Cat(digit, quotient)
            rest = _delayed(m, f"rest{stage}", value)
            quotient = _delayed(m, f"quotient{stage}", quotient)
            rises = _delayed(m, f"rises{stage}", rises) if self.positive else rises

        # v = base - R or base + R + 1; n - 1 - q = n + Q or n - 1 - Q = n + ~Q.
        clamped = Signal()
        v = Signal(25, reset_less=True)
        left = Signal(signed(8), reset_less=True)
        m.d.comb += clamped.eq((quotient >= self.bound) & ~rises)
        base = Mux(rises, i0, i0 << 1)
        signed_rest = Cat(rest ^ rises.replicate(width), rises).as_signed()
        steps = Mux(clamped, self.bound, quotient)
        signed_steps = Cat(steps ^ (~rises).replicate(_DIGITS), ~rises).as_signed()
        m.d.sync += v.eq(Mux(clamped, base, base - signed_rest))
        m.d.sync += left.eq(self.n + signed_steps)

        # v << left by a shift of 0..7 and one by a multiple of 8.
        fine = _delayed(m, "fine", (v << left[:3])[:32])
        coarse = Signal(signed(5), reset_less=True)
        m.d.sync += coarse.eq(left[3:])
        m.d.comb += self.e.eq(_delayed(m, "coarse_shifted", self._coarse_shift(m, fine, coarse)))
        return m

    def _coarse_shift(self, m: Module, fine: Signal, coarse: Signal) -> Value:
        """min(fine << 8 * coarse, I31)."""
        shifted = Signal(31)
        over = Signal()
        with m.Switch(coarse):
            for k in range(4):
                with m.Case(k):
                    m.d.comb += [shifted.eq(fine[: 31 - 8 * k] << 8 * k), over.eq(fine[31 - 8 * k :].any())]
            # Right shifts: q >= n > 0, so i0 and with it v / 2 are no more than the dividend.
            for k in (1, 2):
                with m.Case(-k):
                    m.d.comb += shifted.eq(fine[8 * k : self.d_bits + 8])
            with m.Default():
                m.d.comb += over.eq(~coarse[-1])
        return shifted | over.replicate(31)


def _delayed(m: Module, name: str, value: Value) -> Signal:
    register = Signal(len(value), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


class ShiftExpVector(Core):
    """Lanes of `ShiftExp` as a unit of its own: what its benches drive.

    Parameters
    ----------
    lanes : elements per beat, 1..256, a power of two

    Members
    -------
    command : rows (beats, at least 1), i0, n, bound as in `ShiftExp`
    i : d, signed 10 bits per lane;  result : e, 31 bits per lane

    Timing: rows + OVERHEAD cycles, one beat per cycle.

    Range: as `ShiftExp`.
    """

    OVERHEAD = ShiftExp.LATENCY + 1 + 2 * BUFFER_LATENCY - 1
    """Start, and the buffers, around the exponentials."""

    def __init__(self, *, lanes: int) -> None:
        if not 1 <= lanes <= 256 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..256, not {lanes}")
        self.lanes = lanes
        super().__init__(
            command=data.StructLayout({"rows": 16, "i0": 24, "n": 5, "bound": 6}),
            inputs={"i": data.ArrayLayout(signed(10), lanes)},
            result=data.ArrayLayout(unsigned(31), lanes),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        i0, n, bound = Signal(24), Signal(5), Signal(6)
        to_take, to_give = Signal(16), Signal(16)
        given = Signal(ShiftExp.LATENCY)
        m.d.comb += [
            self.i_want.eq(to_take != 0),
            self.result_valid.eq(given[-1]),
            self.idle.eq(to_give == 0),
        ]
        m.d.sync += given.eq(Cat(self.i_want, given))
        with m.If(self.i_want):
            m.d.sync += to_take.eq(to_take - 1)
        with m.If(given[-2]):
            m.d.sync += to_give.eq(to_give - 1)
        with m.If(self.start):
            m.d.sync += [
                i0.eq(self.command.i0),
                n.eq(self.command.n),
                bound.eq(self.command.bound),
                to_take.eq(self.command.rows),
                to_give.eq(self.command.rows),
            ]
        for k in range(self.lanes):
            m.submodules[f"lane{k}"] = lane = ShiftExp(d_bits=10)
            m.d.comb += [
                lane.d.eq(self.i[k]),
                lane.i0.eq(i0),
                lane.n.eq(n),
                lane.bound.eq(bound),
                self.result[k].eq(lane.e),
            ]
        return m
