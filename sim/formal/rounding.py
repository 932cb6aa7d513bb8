"""Rounding shifts and products, against their definitions."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Assert, Const, Cover, Module, Mux, Shape, Signal, Value

from intarsia.hw.lib.multiply import LIMB, Multiplier
from intarsia.hw.lib.round_shift import RoundShift, saturated
from intarsia.sim.formal.division import delayed
from intarsia.sim.formal.inside import opened
from intarsia.sim.formal.proof import Spec


def half_even(p: Value, c: Value) -> Value:
    """RHE(p / 2**c) as it is defined: the floor, and one more where the rest says so."""
    floor = p >> c
    rest = p - (floor << c)
    half = Mux(c == 0, 1, (1 << c) >> 1)  # c = 0 has no rest, and no half that it could reach
    return floor + ((rest > half) | ((rest == half) & floor[0]))


def naively_saturated(v: Value, bits: int) -> Value:
    """sat_bits(v) by two comparisons."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return Mux(v < low, low, Mux(v > high, high, v))


class RoundedShift(Spec):
    """q of `RoundShift` is floor(p / 2^c), plus one where the rest exceeds a half, or is one and q odd.

    One shift per cycle, each result 3 cycles later. Every p, every c in 0..63. With `bits` what is
    compared is q saturated, as its users take it. Induction: from any state.
    """

    def __init__(self, *, width: int, bits: int | None = None) -> None:
        super().__init__()
        self.shift, self.bits = RoundShift(width, bits), bits
        self.free += [self.shift.p, self.shift.c]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.shift = shift = self.shift
        p, c = delayed(m, shift.p, shift.LATENCY, "p"), delayed(m, shift.c, shift.LATENCY, "c")
        known = delayed(m, Value.cast(1), shift.LATENCY, "known")  # p is from behind the reset
        q = half_even(p, c)
        with m.If(known):
            if self.bits is None:
                m.d.comb += Assert(shift.q == q)
            else:
                m.d.comb += Assert(saturated(shift.q, self.bits) == naively_saturated(q, self.bits))
            m.d.comb += [
                Cover((c == 2) & (p[:2] == 2) & p[2]),
                Cover((c == 63) & p[-1]),
            ]
        return m


class LimbProduct(Spec):
    """p = a * b + addend from `Multiplier`, at the widths that units have.

    The solver shows that the limbs of 17 bits, each in its place, add up to the operands; that the
    registers hold the products of the limbs; and that p is, two cycles later, their sum, each in its
    place, with the addend, modulo the bits of p. That (sum of a_i * 2^17i) * (sum of b_j * 2^17j) is the
    sum of a_i * b_j * 2^17(i+j) is left to algebra: a solver does not get to the end of it. Induction.
    """

    def __init__(self, a: Shape, b: Shape, addend: Shape | None = None) -> None:
        super().__init__()
        self.multiplier = Multiplier(a, b, addend)
        self.free += [self.multiplier.a, self.multiplier.b]
        if addend is not None:
            self.free.append(self.multiplier.addend)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        multiplier = self.multiplier
        m.submodules.multiplier, signals = opened(multiplier)
        limbs = {}
        for name, operand in (("a", multiplier.a), ("b", multiplier.b)):
            limbs[name] = naive_limbs(operand)
            total = sum((limb << (LIMB * k) for k, limb in enumerate(limbs[name])), Const(0))
            m.d.comb += Assert(total == operand)
        total = Const(0)
        if multiplier.has_addend:
            total = total + delayed(m, multiplier.addend, 1, "naive_addend")
        for i, a in enumerate(limbs["a"]):
            for j, b in enumerate(limbs["b"]):
                product = signals[f"product_{i}_{j}"]
                naive = Signal(product.shape(), name=f"naive_{i}_{j}", reset_less=True)
                m.d.sync += naive.eq(a * b)
                m.d.comb += Assert(product == naive)
                total = total + (product << (LIMB * (i + j)))
        expected = Signal(multiplier.p.shape())
        m.d.comb += expected.eq(total)
        known = delayed(m, Value.cast(1), multiplier.LATENCY, "known")
        arrived = delayed(m, expected, multiplier.LATENCY - 1, "expected")
        with m.If(known):
            m.d.comb += [Assert(multiplier.p == arrived), Cover(multiplier.p[-1])]
        return m


def naive_limbs(operand: Value) -> list[Value]:
    """17 bits each, lowest first; what is left when 17 or, of a signed number, 18 do is the highest."""
    signed = operand.shape().signed
    limbs: list[Value] = []
    while len(operand) > LIMB + signed:
        limbs.append(operand[:LIMB])
        operand = operand[LIMB:].as_signed() if signed else operand[LIMB:]
    return [*limbs, operand]
