"""Every operator of the registry on random nodes: reference, kernel, PyTorch and ONNX Runtime are equal."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intarsia.model.ops import OPERATORS
from tests.model.ops.random_node import cases

COUNT = 24


@pytest.mark.parametrize("name", OPERATORS)
def test_kernel_and_onnx_runtime_compute_the_reference(evaluate, name):
    operator, seen = OPERATORS[name], []
    for case in cases(operator, COUNT):
        node, inputs, constants = case.node, case.inputs, case.constants
        wanted = operator.reference(node, inputs, constants)
        assert (wanted.shape, wanted.dtype) == (case.made.shape, case.made.dtype), case
        found = operator.prepare(node, constants)(inputs)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted, err_msg=f"kernel: {case}")
        feeds = dict(zip(node.inputs, inputs, strict=True))
        out = evaluate(
            lambda w, case=case: operator.onnx(w, case.node, case.tensors, case.constants),
            case.made.dtype,
            **feeds,
        )
        np.testing.assert_array_equal(out, wanted, err_msg=f"ONNX Runtime: {case}")
        seen.append(wanted)
    # The ranges allow constants with which every output is 0 or at an end: enough others are wanted.
    assert len(seen) >= COUNT
    assert sum(len(np.unique(array)) > 2 for array in seen) >= COUNT // 8


@pytest.mark.parametrize("name", OPERATORS)
def test_the_form_of_pytorch_computes_the_reference(name):
    operator, seen = OPERATORS[name], 0
    for case in cases(operator, COUNT, narrow=True):
        wanted = operator.reference(case.node, case.inputs, case.constants)
        constants = {role: torch.tensor(array) for role, array in case.constants.items()}
        batch = [torch.tensor(array).double()[None] for array in case.inputs]
        found = operator.simulate(case.node, batch, constants)
        assert found.dtype == torch.float64
        np.testing.assert_array_equal(found[0].numpy(), wanted, err_msg=str(case))
        seen += 1
    assert seen >= COUNT
