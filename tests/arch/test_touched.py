"""Two views of what instructions touch: the declarations', and the one that the hazard checker believes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intarsia.arch.access import accesses
from intarsia.arch.isa import INSTRUCTIONS, Instruction
from intarsia.arch.machine import PRESETS, Machine
from intarsia.arch.touched import touched
from tests.arch.instructions import instructions

MACHINES = [*map(Machine.load, PRESETS), Machine.load("tests/hw/small.toml")]


@pytest.mark.parametrize("kind", INSTRUCTIONS, ids=lambda kind: kind.mnemonic())
@given(st.data(), st.sampled_from(MACHINES), st.integers(0, 2**32 - 1))
def test_both_views_agree(kind: type[Instruction], data: Any, machine: Machine, base: int) -> None:
    instruction = data.draw(instructions(kind))
    assert accesses(instruction, machine, base) == tuple(touched(instruction, machine, base))


def test_an_instruction_that_was_not_written_down_is_refused() -> None:
    class Unknown(Instruction):
        pass

    with pytest.raises(TypeError, match="is unknown here"):
        list(touched(Unknown(), MACHINES[0]))
