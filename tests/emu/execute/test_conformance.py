"""Operators of the registry on random nodes: the instruction that runs each computes the reference."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.arch.legal import check_instruction
from intarsia.emu.execute.queues import COMPUTE
from intarsia.model.ops import OPERATORS
from tests.emu.execute.bench import MACHINE
from tests.emu.execute.forms import FORMS, MOVES, SEVERAL, Form, possible
from tests.model.ops.random_node import cases

COUNT = 24


def test_every_operator_is_one_instruction_or_several_or_none() -> None:
    assert FORMS.keys() | MOVES | SEVERAL == OPERATORS.keys()


@pytest.mark.parametrize("name", FORMS)
def test_the_instruction_computes_the_reference(name: str) -> None:
    operator, seen = OPERATORS[name], 0
    for case in filter(possible, cases(operator, COUNT, most=256)):
        wanted = operator.reference(case.node, case.inputs, case.constants)
        form = Form(case, MACHINE)
        check_instruction(form.instruction, MACHINE, 64)
        COMPUTE[type(form.instruction)](form.memories, form.instruction)
        np.testing.assert_array_equal(form.result(), wanted, err_msg=str(case))
        seen += 1
    assert seen >= COUNT // 2
