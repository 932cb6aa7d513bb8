"""Wide products from the small multipliers that a device has."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LIMB = 17
"""Bits of an unsigned limb; the highest limb of a signed operand has one more: 18 x 18 signed."""
MAX_WIDTH = 64


class Multiplier(wiring.Component):
    """p = a * b, or a * b + addend.

    Parameters
    ----------
    a, b : shapes of the operands, up to 64 bits
    addend : shape of a number to add to the product, up to 128 bits; None: there is none

    Members
    -------
    a : In(a), b : In(b), addend : In(addend) if there is one
    p : Out, of the shape of the exact product, or of the addend where that has more bits

    Timing: latency `LATENCY` = 3 at any width, one product per cycle: products of limbs, then their
    sum in two stages.

    Range: all a and b; with an addend, sums that p can hold.
    """

    LATENCY = 3

    def __init__(self, a: Shape, b: Shape, addend: Shape | None = None) -> None:
        for name, shape in (("a", a), ("b", b)):
            if not 1 <= shape.width <= MAX_WIDTH:
                raise ValueError(f"{name} must have 1..{MAX_WIDTH} bits, not {shape.width}")
        if addend is not None and not 1 <= addend.width <= 2 * MAX_WIDTH:
            raise ValueError(f"addend must have 1..{2 * MAX_WIDTH} bits, not {addend.width}")
        p = (Signal(a) * Signal(b)).shape()
        members: dict[str, wiring.Member] = {"a": In(a), "b": In(b)}
        self.has_addend = addend is not None
        if addend is not None:
            members["addend"] = In(addend)
            p = Shape(max(p.width, addend.width), signed=p.signed or addend.signed)
        super().__init__(members | {"p": Out(p)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        a, b = _limbs(self.a), _limbs(self.b)
        # Products i, j and i+1, j+1 lie side by side, so all with one i - j make one number.
        rows: list[tuple[int, Value]] = []
        for skew in range(1 - len(b), len(a)):
            products = []
            for i in range(max(skew, 0), min(len(a), len(b) + skew)):
                product = a[i] * b[i - skew]
                register = Signal(product.shape(), name=f"product_{i}_{i - skew}", reset_less=True)
                m.d.sync += register.eq(product)
                products.append(register)
            rows.append((LIMB * abs(skew), _joined(products)))
        if self.has_addend:
            register = Signal.like(self.addend, name="addend_1", reset_less=True)
            m.d.sync += register.eq(self.addend)
            rows.append((0, register))
        # Rows of like offset first: their sum is short.
        rows.sort(key=lambda row: -row[0])
        rows = self._add_pairs(rows)
        if len(rows) > 2:
            rows = self._add_pairs(rows)
        for k, (offset, value) in enumerate(rows):
            register = Signal(value.shape(), name=f"sum_{k}", reset_less=True)
            m.d.sync += register.eq(value)
            rows[k] = (offset, register)
        while len(rows) > 1:
            rows = self._add_pairs(rows)
        total = Signal.like(self.p, name="total", reset_less=True)
        m.d.sync += total.eq(rows[0][1])
        m.d.comb += self.p.eq(total)
        return m

    def _add_pairs(self, rows: list[tuple[int, Value]]) -> list[tuple[int, Value]]:
        """Half as many rows (offset, value). Bits below the upper row's offset need no adder."""
        sums = [rows[-1]] if len(rows) % 2 else []
        for k in range(len(rows) // 2 * 2 - 2, -1, -2):
            (high, upper), (low, lower) = rows[k : k + 2]
            gap = high - low
            total = lower.shift_right(gap) + upper
            total = total[: len(self.p) - high]  # what lies above p is of no use
            joined = Cat(lower[:gap], total)
            signed = upper.shape().signed or lower.shape().signed
            sums.append((low, joined.as_signed() if signed else joined))
        return sums[::-1]


def _limbs(value: Value) -> list[Value]:
    """17-bit limbs, lowest first. The highest has the value's sign, and up to 18 bits if it is signed."""
    signed = value.shape().signed
    limbs: list[Value] = []
    while len(value) > LIMB + signed:
        limbs.append(value[:LIMB])
        value = value.shift_right(LIMB)
    return [*limbs, value]


def _joined(products: list[Signal]) -> Value:
    """Side by side; the highest one's sign is the number's."""
    joined = Cat(*products)
    return joined.as_signed() if products[-1].shape().signed else joined
