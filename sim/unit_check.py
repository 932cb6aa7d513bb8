"""How a unit is held against the reference: what every module of `sim.units` declares once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from intarsia.sim.formal.proof import Proof
from intarsia.sim.transaction import Bench


@dataclass(frozen=True)
class UnitCheck:
    """The checks of one unit.

    bench : its stimulus, expectation and coverage bins
    equals : what its results equal, in NumPy or a function of the reference
    section : the section of docs/numerics.md that defines it
    proofs : what is proven of its core, by name; names of different units differ
    """

    bench: type[Bench]
    equals: str
    section: str
    proofs: Mapping[str, Proof] = field(default_factory=dict)
