"""Instructions made wrong: the emulator stops at each, with the error that is meant."""

from __future__ import annotations

import random

import pytest

from intarsia.arch.isa import INSTRUCTIONS
from intarsia.sim.bus.design import MACHINE
from intarsia.sim.bus.material import random_material
from intarsia.sim.bus.wrong import KINDS, spoiled

CODES = {"opcode": 1, "field": 2, "address": 3, "dram": 3, "param": 2, "port": 5, "wait": 2}
"""As docs/machine.md, section 8, has them."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_wrong_stops_the_emulator(kind: str) -> None:
    found = 0
    for seed in range(8):
        wrong = spoiled(random_material(MACHINE, seed), kind, random.Random(seed))
        if wrong is not None:
            assert wrong.stop.code == CODES[kind]
            found += 1
    assert found > 2


def test_random_programs_have_every_instruction() -> None:
    """So that each of them can be wrong."""
    materials = (random_material(MACHINE, seed) for seed in range(40))
    assert {type(op) for material in materials for _, op in material.places()} == {*INSTRUCTIONS}
