"""Operators of the registry on random nodes: the engine of each gives the reference's integers, in the
cycles of the machine's description."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from intarsia.arch.duration import cycles
from intarsia.arch.isa import Argmax, Expand, Gelu, Layernorm, Lookup, Matmul, Residual, Shiftmax
from intarsia.arch.machine import Machine
from intarsia.hw.units.elementwise.engine import ArgmaxEngine, ExpandEngine, LookupEngine, ResidualEngine
from intarsia.hw.units.layernorm.engine import LayernormEngine
from intarsia.hw.units.matmul.engine import MatmulEngine
from intarsia.hw.units.shiftgelu.engine import GeluEngine
from intarsia.hw.units.shiftmax.engine import ShiftmaxEngine
from intarsia.model.ops import OPERATORS
from tests.emu.execute.forms import FORMS, Form, possible
from tests.hw.rig import Rig
from tests.model.ops.random_node import cases

MACHINE = replace(Machine.load("tests/hw/small.toml"), banks=29, bank_kib=1)
COUNT = 3

ENGINES: dict[type, Any] = {
    Matmul: MatmulEngine,
    Shiftmax: ShiftmaxEngine,
    Layernorm: LayernormEngine,
    Gelu: GeluEngine,
    Residual: ResidualEngine,
    Lookup: LookupEngine,
    Argmax: ArgmaxEngine,
    Expand: ExpandEngine,
}


@pytest.mark.parametrize("name", FORMS)
def test_the_engine_computes_the_reference_in_time(name: str) -> None:
    operator, seen = OPERATORS[name], 0
    for case in islice(filter(possible, cases(operator, 8 * COUNT, most=256)), COUNT):
        form = Form(case, MACHINE)
        engine = ENGINES[type(form.instructions[0])]
        found = Rig(engine(MACHINE), MACHINE).run(form.instructions, form.memories)
        assert found == [(cycles(one, MACHINE), 0) for one in form.instructions], case
        wanted = operator.reference(case.node, case.inputs, case.constants)
        np.testing.assert_array_equal(form.result(), wanted, err_msg=str(case))
        seen += 1
    assert seen == COUNT
