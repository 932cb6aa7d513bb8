"""An address generator: the addresses of a nest of loops, one per cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.ports import ADDRESS_BITS


class Nest(wiring.Component):
    """address = origin + sum over levels of index * step, the innermost level (0) fastest.

    Parameters
    ----------
    count_bits : of every level's count, innermost first

    Members
    -------
    origin : In(33);  step : In(32) per level;  count : In per level, at least 1
    start : In(1), the next cycle shows the first address
    next : In(1), go on to the one after it
    valid : Out(1), an address is shown;  address : Out(32), modulo 2**32
    beyond : Out(1), the address shown, were it not cut, has more than 32 bits. Steps that are negative
        modulo 2**32 raise it too, so it is for those who take none.
    first, last : Out(1) per level, its index is the first, the last
    index : Out per level

    Timing: one address per cycle; one addition of 32 bits and a choice between two registers.
    origin, step and count are held from `start` on.
    """

    def __init__(self, *, count_bits: tuple[int, ...]) -> None:
        self.count_bits = count_bits
        levels = len(count_bits)
        members: dict[str, wiring.Member] = {
            "origin": In(ADDRESS_BITS + 1),
            "step": In(ADDRESS_BITS).array(levels),
            "start": In(1),
            "next": In(1),
            "valid": Out(1),
            "address": Out(ADDRESS_BITS),
            "beyond": Out(1),
            "first": Out(levels),
            "last": Out(levels),
        }
        for level, bits in enumerate(count_bits):
            members |= {f"count{level}": In(bits), f"index{level}": Out(bits)}
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        levels = range(len(self.count_bits))
        index = [getattr(self, f"index{k}") for k in levels]
        count = [getattr(self, f"count{k}") for k in levels]
        # Where the loop of each level stands, all levels inside it at their first index.
        # The bit above the address stays once it is set.
        at = [Signal(ADDRESS_BITS + 1, name=f"at{k}") for k in levels]
        # Steps that each level has before it, this one included: so whether it is the last is known a step
        # ahead, and shown by a register.
        left = [Signal(bits, name=f"left{k}") for k, bits in enumerate(self.count_bits)]
        m.d.comb += [
            self.address.eq(at[0]),
            self.beyond.eq(at[0][-1]),
            self.first.eq(Cat(i == 0 for i in index)),
        ]
        with m.If(self.start):
            m.d.sync += [self.valid.eq(1), *(a.eq(self.origin) for a in at), *(i.eq(0) for i in index)]
            m.d.sync += [steps.eq(c) for steps, c in zip(left, count, strict=True)]
            m.d.sync += self.last.eq(Cat(c == 1 for c in count))
        with m.Elif(self.valid & self.next):
            inner: Any = Const(1)
            for k in levels:
                with m.If(inner & ~self.last[k]):
                    total = at[k][:ADDRESS_BITS] + self.step[k]
                    place = Cat(total[:ADDRESS_BITS], total[ADDRESS_BITS] | at[k][-1])
                    m.d.sync += [at[j].eq(place) for j in range(k + 1)]
                    m.d.sync += [index[k].eq(index[k] + 1), left[k].eq(left[k] - 1)]
                    m.d.sync += self.last[k].eq(left[k] == 2)
                    m.d.sync += [index[j].eq(0) for j in range(k)]
                    m.d.sync += [left[j].eq(count[j]) for j in range(k)]
                    m.d.sync += [self.last[j].eq(count[j] == 1) for j in range(k)]
                inner = inner & self.last[k]
            with m.If(inner):
                m.d.sync += self.valid.eq(0)
        return m
