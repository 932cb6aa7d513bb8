"""The mean of rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intarsia.model.errors import InputError
from intarsia.model.ops import OPERATORS
from tests.model.ops.builder import Bench

MEAN = OPERATORS["mean"]


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 50), (0, 50), (49, 50)])
@pytest.mark.parametrize(("bits", "s_out"), [(8, 0.03), (16, 0.001)])
def test_a_lowered_mean_is_the_real_one(start, stop, bits, s_out):
    x = np.random.default_rng(start).integers(-128, 128, (50, 7)).astype(np.int8)
    build = Bench(s_out, x=(x.shape, "int8", 0.02))
    node = build.nodes[build.mean("y", "x", start, stop, bits=bits)]
    found = MEAN.reference(node, [x], {})
    real = MEAN.real(None, torch.from_numpy(x)[None].double() * 0.02, start, stop, bits=bits)[0]
    assert build.tensors["y"].shape == found.shape == (1, 7)
    assert found.dtype == f"int{bits}"
    # Half a step, and the error of the multiplier.
    assert np.abs(found * s_out - real.numpy()).max() <= s_out / 2 + np.abs(real.numpy()).max() * 2**-14


@pytest.mark.parametrize("op", ["mean", "rows"])
@pytest.mark.parametrize(("start", "stop"), [(5, 5), (6, 5), (0, 9), (-1, 2)])
def test_rows_that_are_not_there_are_refused(op, start, stop):
    build = Bench(x=((8, 4), "int8", 1.0))
    said = rf"^y: rows must be one or more within 0\.\.8, not {start}\.\.{stop}$"
    with pytest.raises(InputError, match=said):
        getattr(build, op)("y", "x", start, stop)


def test_a_sum_that_may_overflow_is_refused():
    rows = 2**24
    build = Bench(x=((rows, 1), "int8", 1.0))
    with pytest.raises(InputError, match="^y: the int32 accumulator could reach 2147483648;"):
        build.mean("y", "x", 0, rows)
    build.mean("z", "x", 1, rows)
