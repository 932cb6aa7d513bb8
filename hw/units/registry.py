"""The units by name, each made from a machine description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from intarsia.arch import isa
from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.stream import Core, Unit
from intarsia.hw.units.affine.core import Affine
from intarsia.hw.units.argmax.core import Argmax
from intarsia.hw.units.expand.core import Expand
from intarsia.hw.units.layernorm.core import Layernorm
from intarsia.hw.units.mac_array.core import MacArray
from intarsia.hw.units.requantize.core import Requantizer
from intarsia.hw.units.residual.core import Residual
from intarsia.hw.units.shift_exp.core import ShiftExpVector
from intarsia.hw.units.shiftgelu.core import Shiftgelu
from intarsia.hw.units.shiftgelu_table.core import ShiftgeluTable
from intarsia.hw.units.shiftmax.core import Shiftmax
from intarsia.hw.units.upsample.core import Upsample
from intarsia.model.errors import InputError


@dataclass(frozen=True)
class UnitKind:
    """What a unit does, in a line, and how its core is made for a machine."""

    purpose: str
    core: Callable[[Machine], Core]


UNITS: dict[str, UnitKind] = {
    "mac_array": UnitKind(
        "int8 products, int8 or int16 activations, int32 accumulators",
        lambda machine: MacArray(
            lanes=machine.lanes, depth=machine.depth, accumulator_rows=machine.accumulator_rows
        ),
    ),
    "requantize": UnitKind(
        "accumulators to int8 or int16, 32-bit multipliers",
        lambda machine: Requantizer(lanes=machine.lanes, multiplier_bits=32),
    ),
    "requantize16": UnitKind(
        "accumulators to int8 or int16, 16-bit multipliers",
        lambda machine: Requantizer(lanes=machine.lanes, multiplier_bits=16),
    ),
    "residual": UnitKind(
        "sum of two int16 tensors at a new scale",
        lambda machine: Residual(lanes=isa.Residual.lanes(machine)),
    ),
    "affine": UnitKind(
        "LayerNorm's scale and shift by channel",
        lambda machine: Affine(lanes=isa.Layernorm.lanes(machine)),
    ),
    "shift_exp": UnitKind(
        "exponentials by shifts",
        lambda machine: ShiftExpVector(lanes=isa.Shiftmax.lanes(machine)),
    ),
    "shiftmax": UnitKind(
        "softmax of int8 rows",
        lambda machine: Shiftmax(lanes=isa.Shiftmax.lanes(machine), max_length=machine.row_length),
    ),
    "shiftgelu": UnitKind(
        "GELU of int8 rows in its three forms",
        lambda machine: Shiftgelu(lanes=isa.Gelu.lanes(machine), max_length=machine.row_length),
    ),
    "shiftgelu_table": UnitKind(
        "GELU of int8 elements by a table that the host fills",
        lambda machine: ShiftgeluTable(lanes=isa.Gelu.lanes(machine)),
    ),
    "layernorm": UnitKind(
        "LayerNorm of int16 rows",
        lambda machine: Layernorm(lanes=isa.Layernorm.lanes(machine), max_length=machine.layernorm_length),
    ),
    "argmax": UnitKind(
        "index of the first maximum of a row",
        lambda machine: Argmax(lanes=isa.Argmax.lanes(machine)),
    ),
    "expand": UnitKind(
        "labels repeated along a row",
        lambda machine: Expand(lanes=isa.Expand.lanes(machine)),
    ),
    "upsample": UnitKind(
        "class scores of patches to the label of every pixel",
        lambda machine: Upsample(lanes=isa.Expand.lanes(machine)),
    ),
}


def unit_names(wanted: list[str], others: tuple[str, ...] = ()) -> list[str]:
    """The units asked for, in the order of UNITS, then of `others`; none or `all` are all. InputError for
    another name."""
    known = (*UNITS, *others)
    if unknown := [name for name in wanted if name not in known and name != "all"]:
        raise InputError(f"a unit must be one of {', '.join(known)} and all, not {', '.join(unknown)}")
    everything = not wanted or "all" in wanted
    return [name for name in known if everything or name in wanted]


def make_unit(name: str, machine: Machine) -> Unit:
    """A unit with its streams."""
    return Unit(UNITS[name].core(machine))


def unit_and_lanes(name: str, machine: Machine) -> tuple[Any, int]:
    """The same, and the elements that it takes per cycle."""
    unit: Any = make_unit(name, machine)
    return unit, unit.core.lanes
