"""The checks of `hw.units.mac_array.core.MacArray`."""

from __future__ import annotations

from intarsia.sim.unit_check import UnitCheck
from intarsia.sim.units.mac_array.bench import MacArrayBench
from intarsia.sim.units.mac_array.proofs import PROOFS

CHECK = UnitCheck(
    MacArrayBench, "numpy.matmul(x, y.T) in int32", "Linear layers, convolution, matrix products", PROOFS
)
