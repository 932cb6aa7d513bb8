"""Every operator in ONNX against its reference, on hand-made extremes."""

import numpy as np
import pytest

from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.ops import OPERATORS


@pytest.fixture
def check(evaluate):
    """Emitter and reference of one node give equal arrays of the same type."""

    def run(op, inputs, constants=None, **attributes):
        constants = constants or {}
        names = [f"input{i}" for i in range(len(inputs))]
        node = Node("result", op, tuple(names), {}, attributes)
        wanted = OPERATORS[op].reference(node, inputs, constants)
        tensors = [Tensor(n, a.shape, a.dtype.name) for n, a in zip(names, inputs, strict=True)]
        out = evaluate(
            lambda w: OPERATORS[op].onnx(w, node, tensors, constants),
            wanted.dtype.name,
            **dict(zip(names, inputs, strict=True)),
        )
        assert out.dtype == wanted.dtype
        np.testing.assert_array_equal(out, wanted)
        return out

    return run


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def int8(rng, *shape):
    return rng.integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("size", [(16, 24), (17, 23), (3, 5)])
def test_pixels_pads_with_zeros_after_the_table(check, rng, size):
    image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    table = rng.permuted(np.arange(-128, 128, dtype=np.int8)[None].repeat(3, 0), axis=1)
    check("pixels", [image], {"table": table}, patch=8)


@pytest.mark.parametrize("bits", [8, 16])
def test_linear_saturates_and_rounds_like_the_reference(check, rng, bits):
    x = int8(rng, 9, 130)
    x[0], x[1] = -128, 127
    weight = int8(rng, 66, 130)
    weight[0], weight[1] = -128, 127
    bias = rng.integers(-(2**20), 2**20, 66).astype(np.int32)
    bias[2], bias[3] = 2**31 - 1 - 130 * 2**14, -(2**31) + 130 * 2**14
    b = rng.integers(-(2**31) + 1, 2**31, 66).astype(np.int32)
    b[:4] = 2**31 - 1, -(2**31) + 1, 2**31 - 1, 2**31 - 1
    # Among others c = 0 (everything saturates), 31 and 63 (everything is 0).
    c = np.r_[rng.permutation(64), 0, 31].astype(np.int8)
    constants = {"weight": weight, "bias": bias, "b": b, "c": c}
    out = check("linear", [x], constants, out_bits=bits)
    top = 2 ** (bits - 1)
    assert out.min() == -top and out.max() == top - 1
    del constants["bias"]
    check("linear", [x], constants, out_bits=bits)


def test_linear_with_ties_in_every_channel(check):
    x = np.arange(-128, 128, dtype=np.int8)[:, None]
    c = np.arange(8, dtype=np.int8)
    weight, b = np.ones((8, 1), np.int8), np.ones(8, np.int32)
    check("linear", [x], {"weight": weight, "b": b, "c": c}, out_bits=8)


def test_matmul_transposes_its_second_operand(check, rng):
    check("matmul", [int8(rng, 12, 40), int8(rng, 5, 40)], b=20011, c=21, out_bits=16)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("reciprocal", [15, 31, 46])
@pytest.mark.parametrize("i0", [1, 9, 4001, 2**23])
def test_shiftmax_of_rows_flat_peaked_and_random(check, rng, bits, reciprocal, i0):
    x = int8(rng, 2, 7, 90)
    x[0, 0], x[0, 1], x[0, 2] = -128, 127, 0
    x[0, 3], x[0, 3, 5] = -128, 127
    x[0, 4] = np.arange(-45, 45)
    check("shiftmax", [x], i0=i0, n=15, reciprocal_bits=reciprocal, out_bits=bits)


@pytest.mark.parametrize("bits", [8, 16])
def test_attention_products_at_the_ends(check, rng, bits):
    qkv = int8(rng, 50, 3 * 32)
    qkv[:4], qkv[4:8] = -128, 127
    check("scores", [qkv], heads=2, b=20011, c=24, out_bits=8)
    top = 2 ** (bits - 1)
    probabilities = rng.integers(0, top, (2, 50, 50)).astype(f"int{bits}")
    probabilities[0, 0], probabilities[0, 1] = 0, top - 1
    shift = {8: 26, 16: 34}[bits]
    check("mix", [probabilities, qkv], heads=2, b=20011, c=shift, out_bits=8)
    signed = rng.integers(-top, top, (2, 50, 50)).astype(f"int{bits}")
    signed[0, 0], signed[1, 0] = -top, -1
    check("mix", [signed, qkv], heads=2, b=20011, c=shift, out_bits=8)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("c", [0, 31, 32, 50])
def test_layernorm_of_extreme_rows(check, rng, bits, c):
    x = rng.integers(-32768, 32768, (8, 96)).astype(np.int16)
    x[0], x[1] = -32768, 32767
    x[2, ::2], x[2, 1::2] = -32768, 32767
    x[3], x[3, 0] = -32768, 32767
    x[4] = rng.integers(-1, 2, 96)
    b = rng.integers(-(2**31) + 1, 2**31, 96).astype(np.int32)
    B = rng.integers(-(2**61), 2**61, 96) >> rng.integers(0, 60, 96)
    check("layernorm", [x], {"b": b, "B": B}, c=c, out_bits=bits)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("c", [61, 62, 63])
def test_layernorm_at_the_ends_of_its_constants(check, bits, c):
    """Sums of up to 2^62 + 2^61, and halves of 2^63."""
    ends = [sign * (2**62 - less) for sign in (1, -1) for less in (0, 1, 2**30, 2**61)]
    x = np.array([[-1, 1] * len(ends), [1, -1] * len(ends), [0, 0] * len(ends)], np.int16)
    for b in (2**31 - 1, 1 - 2**31, 0):
        constants = {"b": np.full(2 * len(ends), b, np.int32), "B": np.repeat(ends, 2)}
        check("layernorm", [x], constants, c=c, out_bits=bits)


def test_shiftmax_of_a_matrix(check, rng):
    check("shiftmax", [int8(rng, 9, 20)], i0=9, n=15, reciprocal_bits=31, out_bits=16)


@pytest.mark.parametrize("form", GELU_FORMS)
@pytest.mark.parametrize("i0", [1, 12, 700])
def test_gelu_of_every_byte_under_every_maximum(check, form, i0):
    x = np.arange(-128, 128, dtype=np.int8)
    # Row m holds every value up to m.
    rows = np.minimum(x[None, :], x[:, None])
    check("gelu", [rows], form=form, i0=i0, b=20011, c=20, out_bits=8)
    check("gelu", [rows], form=form, i0=i0, b=20011, c=14, out_bits=16)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_what_moves_rows_moves_them_whole(check, rng, dtype):
    x = rng.integers(-128, 128, (6, 16)).astype(dtype)
    more = rng.integers(-128, 128, (3, 16)).astype(dtype)
    check("prepend", [x], {"rows": more})
    check("append", [x], {"rows": more})
    check("rows", [x], start=1, stop=5)


def test_residual_takes_a_tensor_or_a_constant(check, rng):
    x, y = rng.integers(-32768, 32768, (2, 6, 16)).astype(np.int16)
    attributes = {"b1": 30001, "c1": 15, "b2": 20001, "c2": 14}
    np.testing.assert_array_equal(
        check("residual", [x, y], **attributes),
        check("residual", [x], {"identity": y}, **attributes),
    )


@pytest.mark.parametrize(("classes", "dtype"), [(5, "uint8"), (256, "uint8"), (300, "uint16")])
def test_argmax_takes_the_lowest_class_of_a_tie(check, rng, classes, dtype):
    x = rng.integers(-3, 3, (12, classes)).astype(np.int16)
    x[0], x[1] = -32768, 32767
    x[2], x[2, -1] = -32768, -32767
    out = check("argmax", [x], height=3, width=4)
    assert out.dtype == dtype
    assert out[0, 0] == 0 and out[0, 1] == 0 and out[0, 2] == classes - 1
    check("nearest", [out], patch=8, height=21, width=32)
