"""Tables of functions of one byte."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.integer.check import check_graph
from intarsia.model.integer.executor import Executor
from intarsia.model.ops import OPERATORS
from intarsia.model.ops.table import FUNCTIONS, table_of
from intarsia.model.quantize.ptq import calibrate
from intarsia.model.quantize.walk import Walk
from tests.model.networks.variants import model_of
from tests.model.ops.builder import Bench

BYTES = np.arange(-128, 128, dtype=np.int8)[None]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("s_in", "s_out"), [(0.05, 0.04), (2.0**-7, 2.0**-7), (1.0, 1.0)])
def test_a_lowered_function_is_the_real_one_of_every_byte(function, s_in, s_out):
    build = Bench(s_out, x=((1, 256), "int8", s_in))
    node = build.nodes[build.table("y", "x", function=function)]
    found = OPERATORS["table"].reference(node, [BYTES], build.constants_of("y"))
    x = torch.from_numpy(BYTES).double() * s_in
    real = OPERATORS["table"].real(None, x, function=function).numpy()
    wanted = np.clip(real, -128 * s_out, 127 * s_out)
    assert np.abs(found * s_out - wanted).max() <= s_out / 2 + 1e-9
    assert (build.tensors["y"].dtype, build.tensors["y"].scale) == ("int8", s_out)


def test_any_function_makes_a_table_ordered_by_the_byte():
    table = table_of(lambda x: math.floor(x / 3), 1.0, 1.0)
    assert [table[byte] for byte in (0, 127, 128, 255)] == [0, 42, -43, -1]


def test_a_function_without_a_name_is_refused():
    build = Bench(x=((1, 4), "int8", 1.0))
    wanted = "^function must be gelu or relu or silu or tanh, not 'sine'$"
    with pytest.raises(InputError, match=wanted):
        build.table("y", "x", function="sine")
    with pytest.raises(InputError, match=wanted):
        OPERATORS["table"].real(None, torch.zeros(1, 1, 4), function="sine")


def test_the_gradient_is_that_of_the_function():
    x = torch.linspace(-2, 2, 9, requires_grad=True)
    OPERATORS["table"].real(None, x, function="tanh").sum().backward()
    torch.testing.assert_close(x.grad, 1 - torch.tanh(x.detach()) ** 2)


def test_a_network_with_tables_in_the_place_of_gelu(monkeypatch):
    """From calibration to integers: a walk needs nothing but the operator's name."""

    def gelu(walk, name, x):
        return walk.table(name, x, function="gelu")

    monkeypatch.setattr(Walk, "gelu", gelu, raising=False)
    image = generate(3, (22, 27)).image
    model = calibrate(model_of("vit"), [image, generate(4, (22, 27)).image])
    graph = check_graph(model.graph())
    kinds = [node.op for node in graph.nodes]
    assert kinds.count("table") == 2 and "gelu" not in kinds
    found = model.integers(image[None])
    for name, array in Executor(graph).tensors(image):
        if name in found:
            np.testing.assert_array_equal(found[name][0].numpy(), array, err_msg=name)
