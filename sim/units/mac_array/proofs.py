"""What is proven of `hw.units.mac_array.core`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from amaranth.hdl import Assert, Cover, Module
from amaranth.lib import data

from intarsia.hw.units.mac_array.accumulator import step_layout
from intarsia.hw.units.mac_array.core import MacArray
from intarsia.sim.formal.core_proofs import balance, protocol
from intarsia.sim.formal.cores import CoreSpec
from intarsia.sim.formal.division import delayed
from intarsia.sim.formal.inside import opened
from intarsia.sim.formal.proof import bounded


class AccumulatorDistance(CoreSpec):
    """`MacArray` adds to a row of accumulators, or drains it, 4 cycles after it last added to it, or later.

    Whatever stops it meanwhile: sums flow on, and so do these 4 cycles.
    An accumulator is read 3 cycles before its sum is written; sooner it would be read too old. Bounded.
    """

    DISTANCE = 4

    def __init__(self, limits: Mapping[str, int], *, rows: int = 16) -> None:
        make = partial(MacArray, lanes=4, depth=4, accumulator_rows=rows)
        super().__init__(make, limits, stops=True, at_once=True)
        self.rows = rows

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core, signals = opened(self.within(m))
        self.assume_commands(m)
        steps = [signals[f"step{MacArray.TO_STEP - 1}"]]
        for k in range(1, self.DISTANCE + 1):
            steps.append(delayed(m, steps[-1], 1, f"step_{k}"))
        now, *past = (data.View(step_layout(self.rows), step) for step in steps)
        for k, step in enumerate(past, start=1):
            same_row = step.add & (step.row == now.row)
            again = now.add & same_row & (step.bank == now.bank)
            drained = now.drain & same_row & (step.bank != now.bank)
            if k < self.DISTANCE:
                m.d.comb += Assert(~again & ~drained)
            else:
                m.d.comb += [Cover(again), Cover(drained)]
        return m


_core = partial(MacArray, lanes=4, depth=4, accumulator_rows=16)

PROOFS = {
    **protocol("mac-array", _core, 40),
    **balance(
        "mac-array",
        _core,
        {"rows": 2, "inner": 2, "outer": 2},
        lambda c: c.rows * c.outer,
        {"x": lambda c: c.rows * c.inner * c.outer, "y": lambda c: 4 * c.inner * c.outer},
        44,
        at_once=True,
    ),
    "accumulator-distance": bounded(
        "MacArray leaves every accumulator its 4 cycles (rows <= 6, inner <= 3, outer <= 2)",
        partial(AccumulatorDistance, {"rows": 6, "inner": 3, "outer": 2}),
        60,
    ),
}
