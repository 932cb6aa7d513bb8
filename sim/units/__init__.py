"""Stimulus and expectation of every unit; each bench by its unit's name."""

from __future__ import annotations

from intarsia.sim.transaction import Bench
from intarsia.sim.units.affine import AffineBench
from intarsia.sim.units.argmax import ArgmaxBench
from intarsia.sim.units.expand import ExpandBench
from intarsia.sim.units.layernorm import LayernormBench
from intarsia.sim.units.mac_array import MacArrayBench
from intarsia.sim.units.requantize import RequantizeBench
from intarsia.sim.units.residual import ResidualBench
from intarsia.sim.units.shift_exp import ShiftExpBench
from intarsia.sim.units.shiftgelu import ShiftgeluBench
from intarsia.sim.units.shiftgelu_table import ShiftgeluTableBench
from intarsia.sim.units.shiftmax import ShiftmaxBench
from intarsia.sim.units.upsample import UpsampleBench

BENCHES: dict[str, type[Bench]] = {
    "mac_array": MacArrayBench,
    "requantize": RequantizeBench,
    "requantize16": RequantizeBench,
    "residual": ResidualBench,
    "affine": AffineBench,
    "shift_exp": ShiftExpBench,
    "shiftmax": ShiftmaxBench,
    "shiftgelu": ShiftgeluBench,
    "shiftgelu_table": ShiftgeluTableBench,
    "layernorm": LayernormBench,
    "argmax": ArgmaxBench,
    "expand": ExpandBench,
    "upsample": UpsampleBench,
}
