"""The units' checks by name: every module or folder of this folder is a unit's, and holds its CHECK.

Its bench, with stimulus, expectation and coverage; its proofs; what its golden vectors equal.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from intarsia.sim.unit_check import UnitCheck

NAMES = tuple(module.name for module in iter_modules(__path__))
"""All units, as `hw.units.registry.UNITS` names them."""


@cache
def check_of(name: str) -> UnitCheck:
    """The checks of a unit, imported when they are asked for."""
    found = import_module(f"{__name__}.{name}").CHECK
    assert isinstance(found, UnitCheck), name
    return found
