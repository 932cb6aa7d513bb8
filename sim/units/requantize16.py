"""The checks of `hw.units.requantize.core.Requantizer` with multipliers of 16 bits."""

from __future__ import annotations

from dataclasses import replace

from intarsia.sim.units.requantize import CHECK as REQUANTIZE
from intarsia.sim.units.requantize.proofs import REQUANTIZER_PROOFS

CHECK = replace(REQUANTIZE, proofs=REQUANTIZER_PROOFS)
