"""Square root, one bit per cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SerialRoot(wiring.Component):
    """root = floor(sqrt(v)), without products.

    Every cycle brings down the next two bits of v behind the remainder so far and subtracts from it
    the root so far with 01 behind it, where that fits: then the next bit of the root is one.

    Parameters
    ----------
    bits : width of v

    Members
    -------
    start : In(1), takes v in this cycle
    v : In(bits)
    done : Out(1), high for one cycle, the only one in which `root` is sure to be there
    root : Out(half the bits, rounded up)

    Timing: `latency` cycles from `start` to `done`; a start every `interval` cycles or later, in the
    cycle of `done` at the earliest.

    Range: every v.
    """

    def __init__(self, *, bits: int) -> None:
        if bits < 1:
            raise ValueError(f"bits must be at least 1, not {bits}")
        self.bits = bits
        super().__init__({"start": In(1), "v": In(bits), "done": Out(1), "root": Out(self._root_bits)})

    @property
    def _root_bits(self) -> int:
        return -(-self.bits // 2)

    @property
    def interval(self) -> int:
        """Cycles from one start to the next."""
        return self.latency

    @property
    def latency(self) -> int:
        """Cycles from `start` to `done`: taking v, and one per bit of the root."""
        return self._root_bits + 1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        busy = Signal()
        left = Signal(range(self._root_bits))
        v = Signal(2 * self._root_bits)
        rest = Signal(self._root_bits + 1)  # at most twice the root
        brought_down = Cat(v[-2:], rest)
        difference = Signal(len(brought_down) + 1)
        m.d.comb += difference.eq(brought_down - Cat(C(1, 2), self.root))
        fits = ~difference[-1]

        m.d.sync += self.done.eq(busy & (left == 0))
        with m.If(self.start):
            m.d.sync += [busy.eq(1), left.eq(self._root_bits - 1)]
            m.d.sync += [v.eq(self.v), rest.eq(0), self.root.eq(0)]
        with m.Elif(busy):
            m.d.sync += [
                busy.eq(left != 0),
                left.eq(left - 1),
                v.eq(v << 2),
                rest.eq(Mux(fits, difference, brought_down)),
                self.root.eq(Cat(fits, self.root)),
            ]
        return m
