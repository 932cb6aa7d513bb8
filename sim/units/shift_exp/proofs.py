"""What is proven of `hw.units.shift_exp.core`."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Assert, Assume, Const, Cover, Module, Mux, Signal, Value, signed

from intarsia.hw.units.shift_exp.core import NO_CLAMP, ShiftExp, ShiftExpVector
from intarsia.sim.formal.core_proofs import balance, per_row, protocol
from intarsia.sim.formal.division import delayed
from intarsia.sim.formal.proof import Spec, always

I31 = 2**31 - 1


class ShiftedExponential(Spec):
    """e = min(shift_exp(d, i0, n, lam), I31) from `ShiftExp`, against the formula of docs/numerics.md.

    The formula is taken literally: the argument scaled and bounded, divided by -i0 and rounded down, the
    half bit of the remainder kept, and shifted. One exponential per cycle, each 7 cycles later, as long
    as i0, n and bound have not changed in between. Every d of d_bits, i0 below 2^i0_bits, n below
    2^n_bits, and every bound from n, which is lam = 1, to 63, which is none. Induction: from any state.
    """

    def __init__(self, *, d_bits: int, positive: bool, i0_bits: int, n_bits: int) -> None:
        super().__init__()
        self.lane = ShiftExp(d_bits=d_bits, positive=positive)
        self.d = self.choose(signed(d_bits), "d")
        self.i0, self.n = self.choose(i0_bits, "i0"), self.choose(n_bits, "n")
        self.bound = self.choose(6, "bound")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.lane = lane = self.lane
        d, i0, n, bound = self.d, self.i0, self.n, self.bound
        m.d.comb += [
            lane.d.eq(d),
            lane.i0.eq(i0),
            lane.n.eq(n),
            lane.bound.eq(bound),
            Assume(i0 != 0),
            Assume(n != 0),
            Assume(bound >= n),
        ]
        if not lane.positive:
            m.d.comb += Assume(d <= 0)

        changes: Value = Const(0, 1)
        for k, value in enumerate((i0, n, bound)):
            changes = changes | (delayed(m, value, 1, f"before_{k}") != value)
        stable = Signal(range(lane.LATENCY + 1))
        with m.If(changes):
            m.d.sync += stable.eq(0)
        with m.Elif(stable < lane.LATENCY):
            m.d.sync += stable.eq(stable + 1)
        expected = delayed(m, self.formula(m, d, i0, n, bound), lane.LATENCY, "expected")
        with m.If((stable == lane.LATENCY) & ~changes):
            m.d.comb += [Assert(lane.e == expected), Cover(lane.e == 5)]
        return m

    def formula(self, m: Module, d: Value, i0: Value, n: Value, bound: Value) -> Value:
        """e, from numbers of the same cycle."""
        scaled = d + (d >> 1) - (d >> 4)
        lowest = -(bound * i0)
        p = Signal(scaled.shape())
        with m.If((bound != NO_CLAMP) & (scaled < lowest)):
            m.d.comb += p.eq(lowest)
        with m.Else():
            m.d.comb += p.eq(scaled)
        magnitude = Signal(len(p))
        m.d.comb += magnitude.eq(Mux(p > 0, p, -p))
        # floor(p / -i0): of a positive p, the negative of the quotient rounded up.
        up = (magnitude + i0 - 1) // i0
        q = Signal(signed(len(p) + 1))
        m.d.comb += q.eq(Mux(p > 0, -up, magnitude // i0))
        r = p + q * i0
        v = Signal(len(i0) + 2)
        m.d.comb += v.eq(r + (i0 << 1))
        left = Signal(signed(len(q) + 2))
        m.d.comb += left.eq(n - 1 - q)
        up_by = Mux(left > 31, 31, left)[:5]  # beyond I31 in any case
        e = Signal(31)
        with m.If(left < 0):
            m.d.comb += e.eq(v >> Mux(-left > 63, 63, -left)[:6])
        with m.Elif((v << up_by) > I31):
            m.d.comb += e.eq(I31)
        with m.Else():
            m.d.comb += e.eq(v << up_by)
        return e


PROOFS = {
    **protocol("shift-exp", partial(ShiftExpVector, lanes=1), 20),
    **balance("shift-exp", partial(ShiftExpVector, lanes=1), {"rows": 3}, per_row, {"i": per_row}, 24),
    **{
        f"shift-exp-{'any' if positive else 'negative'}": always(
            f"ShiftExp, 8-bit d{'' if positive else ' <= 0'}, i0 < 16, n < 8, every bound",
            partial(ShiftedExponential, d_bits=8, positive=positive, i0_bits=4, n_bits=3),
            9,
            12,
        )
        for positive in (False, True)
    },
}
