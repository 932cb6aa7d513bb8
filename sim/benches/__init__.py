"""Stimulus and expectation of every unit; each bench by its unit's name."""

from __future__ import annotations

from sim.benches.affine import AffineBench
from sim.benches.argmax import ArgmaxBench
from sim.benches.expand import ExpandBench
from sim.benches.layernorm import LayernormBench
from sim.benches.mac_array import MacArrayBench
from sim.benches.requantize import RequantizeBench
from sim.benches.residual import ResidualBench
from sim.benches.shift_exp import ShiftExpBench
from sim.benches.shiftgelu import ShiftgeluBench
from sim.benches.shiftgelu_table import ShiftgeluTableBench
from sim.benches.shiftmax import ShiftmaxBench
from sim.benches.upsample import UpsampleBench
from sim.transaction import Bench

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
