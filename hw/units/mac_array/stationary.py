"""One lane of the MAC array: a stationary row of y and its dot product with every x that passes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

PRODUCT = Shape(16, signed=True)
"""A byte of x, -128..255, times a byte of y, -128..127: -32640..32385."""


def dot_shape(depth: int) -> Shape:
    """The sum of `depth` products."""
    return Shape(PRODUCT.width + depth.bit_length() - 1, signed=True)


class StationaryRow(wiring.Component):
    """dot = sum_k x[k] * y[k], while the y of the next tile loads into a row behind the one in use.

    Parameters
    ----------
    depth : bytes of a row, a power of two in 4..256

    Members
    -------
    load : In(1), shift the loading row in this cycle; depth_major : In(1), which way:
        0: `row` takes its place, that is the loading row of the next lane
        1: `byte` enters behind its last byte, and the first byte leaves
    row : In(8 * depth), byte : In(8), loading : Out(8 * depth), the loading row
    use : In(1), what has been loaded before this cycle is y from the next cycle on
    x : In(9 * depth), `depth` signed numbers in -128..255, the first in the lowest bits
    dot : Out(dot_shape(depth))

    Timing: a dot product per cycle, LATENCY = 4 cycles after its x: products, the same once more, sums
    of some of them, their sum.
    `load` may go on in the cycle of `use`.
    Range: all x and y.

    Rows that shift need neither a row's number to compare nor a bus across the array: a byte comes
    from one of two neighbours. The copy on `use` leaves no choice of row in front of the multipliers.
    The adders have two stages for every depth, four levels each at most: more registers would cost
    more than they give, in area and in simulation.
    """

    LATENCY = 4

    def __init__(self, *, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "load": In(1),
                "depth_major": In(1),
                "row": In(8 * depth),
                "byte": In(8),
                "loading": Out(8 * depth),
                "use": In(1),
                "x": In(9 * depth),
                "dot": Out(dot_shape(depth)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        loading = Signal(8 * self.depth, reset_less=True)
        # One expression, not m.If: simulators then change the row in place, a quarter faster in all.
        shifted = Mux(self.depth_major, Cat(loading[8:], self.byte), self.row)
        m.d.sync += loading.eq(Mux(self.load, shifted, loading))
        y = self._registers("y", [signed(8)] * self.depth)
        with m.If(self.use):
            m.d.sync += [byte.eq(loading.word_select(k, 8)) for k, byte in enumerate(y)]

        # Multipliers stand where the device has them: a register close by, and a cycle for the way back.
        # All in one signal, of which simulators copy several at a time.
        width = PRODUCT.width
        products = Signal(width * self.depth, reset_less=True)
        arrived = Signal.like(products, name="arrived", reset_less=True)
        each = [(self.x.word_select(k, 9).as_signed() * y[k])[:width] for k in range(self.depth)]
        m.d.sync += [products.eq(Cat(each)), arrived.eq(products)]
        levels = self.depth.bit_length() - 1
        terms = [arrived.word_select(k, width).as_signed() for k in range(self.depth)]
        sums = _add(terms, levels - levels // 2)
        partial = self._registers("partial", [v.shape() for v in sums])
        m.d.sync += [register.eq(v) for register, v in zip(partial, sums, strict=True)]
        dot = Signal(dot_shape(self.depth), reset_less=True)
        m.d.sync += dot.eq(_add(partial, levels // 2)[0])
        m.d.comb += [self.loading.eq(loading), self.dot.eq(dot)]
        return m

    @staticmethod
    def _registers(name: str, shapes: list[Shape]) -> list[Value]:
        return [Signal(shape, name=f"{name}{k}", reset_less=True) for k, shape in enumerate(shapes)]


def _add(values: list[Value], levels: int) -> list[Value]:
    """Neighbours added, so many times."""
    for _ in range(levels):
        values = [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
    return values
