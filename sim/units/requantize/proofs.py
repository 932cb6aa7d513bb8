"""What is proven of `hw.units.requantize.core`."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal, Value

from intarsia.hw.units.requantize.core import RequantizeLane, Requantizer
from intarsia.sim.formal.core_proofs import balance, per_row, protocol
from intarsia.sim.formal.division import delayed
from intarsia.sim.formal.proof import Spec, always
from intarsia.sim.formal.rounding import half_even, naively_saturated


class RequantizedLane(Spec):
    """o of `RequantizeLane` is sat(RHE((x * b + offset) / 2^c)), to 16 or 8 bits, in naive arithmetic.

    One result per cycle, each 7 cycles later. Every x, b, c, and every offset with which the sum fits.
    Operands of few bits: wide products are out of a solver's reach. Induction: from any state.
    """

    def __init__(self, *, x_bits: int, b_bits: int, offset_bits: int = 0) -> None:
        super().__init__()
        self.lane = lane = RequantizeLane(x_bits=x_bits, b_bits=b_bits, offset_bits=offset_bits)
        self.free += [lane.x, lane.b, lane.c, lane.wide]
        if offset_bits:
            self.free.append(lane.offset)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.lane = lane = self.lane
        exact = lane.x * lane.b + (lane.offset if lane.has_offset else 0)
        p = Signal(lane.multiplier.p.shape())
        m.d.comb += [p.eq(exact), Assume(p == exact)]
        q = half_even(delayed(m, p, lane.LATENCY, "p"), delayed(m, lane.c, lane.LATENCY, "c"))
        wide = delayed(m, lane.wide, lane.LATENCY, "wide")
        with m.If(delayed(m, Value.cast(1), lane.LATENCY, "known")):
            m.d.comb += [
                Assert(lane.o == Mux(wide, naively_saturated(q, 16), naively_saturated(q, 8))),
                Cover(~wide & (lane.o == 127) & (q != 127)),
                Cover(wide & (lane.o == -200)),
            ]
        return m


LANE_PROOFS = {
    "requantize-10-8": always(
        "RequantizeLane of 10 by 8 bits", partial(RequantizedLane, x_bits=10, b_bits=8), 9, 12
    ),
    "requantize-8-6-18": always(
        "RequantizeLane of 8 by 6 bits plus 18",
        partial(RequantizedLane, x_bits=8, b_bits=6, offset_bits=18),
        9,
        12,
    ),
}

_core = partial(Requantizer, lanes=1, multiplier_bits=16)

REQUANTIZER_PROOFS = {
    **protocol("requantizer", _core, 16),
    **balance("requantizer", _core, {"rows": 3}, per_row, {"i": per_row}, 24, settle=10),
}
