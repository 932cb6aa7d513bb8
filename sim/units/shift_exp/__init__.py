"""The checks of `hw.units.shift_exp.core`."""

from __future__ import annotations

from intarsia.sim.unit_check import UnitCheck
from intarsia.sim.units.shift_exp.bench import ShiftExpBench
from intarsia.sim.units.shift_exp.proofs import PROOFS

CHECK = UnitCheck(ShiftExpBench, "intarsia.model.integer.arithmetic.shift_exp", "ShiftExp", PROOFS)
