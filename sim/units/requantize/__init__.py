"""The checks of `hw.units.requantize.core.Requantizer` with multipliers of 32 bits."""

from __future__ import annotations

from intarsia.sim.unit_check import UnitCheck
from intarsia.sim.units.requantize.bench import RequantizeBench
from intarsia.sim.units.requantize.proofs import LANE_PROOFS

CHECK = UnitCheck(
    RequantizeBench,
    "intarsia.model.integer.arithmetic.requantize(x + bias, b, c)",
    "Requantization and residual",
    LANE_PROOFS,
)
