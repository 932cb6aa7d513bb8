"""The checks of `hw.units.shiftgelu.core.Shiftgelu`."""

from __future__ import annotations

from intarsia.sim.unit_check import UnitCheck
from intarsia.sim.units.shiftgelu.bench import ShiftgeluBench
from intarsia.sim.units.shiftgelu.proofs import PROOFS

CHECK = UnitCheck(
    ShiftgeluBench,
    "intarsia.model.integer.arithmetic.requantize of intarsia.model.integer.arithmetic.shiftgelu",
    "ShiftGELU",
    PROOFS,
)
