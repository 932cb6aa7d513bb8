"""Operators of the registry on random nodes: the instructions that run each compute the reference."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.arch.legal import check_instruction
from intarsia.emu.execute.compute import compute
from intarsia.model.ops import OPERATORS
from tests.emu.execute.bench import MACHINE
from tests.emu.execute.forms import FORMS, MOVES, Form, possible
from tests.model.ops.random_node import cases

COUNT = 24


def test_every_operator_is_made_of_instructions_or_needs_none() -> None:
    assert FORMS.keys() | MOVES == OPERATORS.keys()


@pytest.mark.parametrize("name", FORMS)
def test_the_instructions_compute_the_reference(name: str) -> None:
    operator, seen = OPERATORS[name], 0
    for case in filter(possible, cases(operator, COUNT, most=256)):
        wanted = operator.reference(case.node, case.inputs, case.constants)
        form = Form(case, MACHINE)
        for instruction in form.instructions:
            check_instruction(instruction, MACHINE, 64)
            compute(form.memories, instruction)
        np.testing.assert_array_equal(form.result(), wanted, err_msg=str(case))
        seen += 1
    assert seen >= COUNT // 4
