"""What the integer operators accept, and the sentences with which they refuse the rest."""

import itertools
import re

import numpy as np
import pytest

from intarsia.model.integer import arithmetic as ia

FORMS = tuple(ia.GELU_FORMS)
ROW_OPERATORS = [
    lambda x: ia.layernorm(x, 20000, 1 << 30, 34),
    lambda x: ia.shiftmax(x, 30),
    lambda x: ia.shiftmax(x, 30, out_bits=8),
    *(lambda x, form=form: ia.shiftgelu(x, 30, form=form) for form in FORMS),
]
OPERATORS = [
    *ROW_OPERATORS,
    lambda x: ia.requantize(x, 20000, 16, out_bits=8),
    lambda x: ia.residual(x, 20000, 16, x, 20000, 16),
    lambda x: ia.rshift_rhe(x, 3),
    lambda x: ia.saturate(x, 8),
    lambda x: ia.shift_exp(x, 30, n=15),
]


@pytest.mark.parametrize("op", OPERATORS)
def test_every_integer_type_and_layout_agree(op):
    rows = np.array([[3, 100, 7, 0], [5, 5, 90, 1]])
    want = op(rows)
    for dtype in "bhilqBHILQ":
        assert (op(rows.astype(dtype)) == want).all()
    assert (op(rows.tolist()) == want).all()
    assert (op(np.asfortranarray(rows)) == want).all()
    assert (op(rows[None]) == want[None]).all()
    assert rows.tolist() == [[3, 100, 7, 0], [5, 5, 90, 1]]  # no operator writes its input


@pytest.mark.parametrize("op", OPERATORS)
def test_scalars_are_rows_of_one(op):
    want = op([37])[0]
    for x in (37, np.int8(37), np.array(37)):
        assert op(x).shape == ()
        assert op(x) == want


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4), (2, 0, 4)])
def test_empty_arrays(op, shape):
    got = op(np.zeros(shape, np.int8))
    assert got.shape == shape
    assert got.dtype == op([1]).dtype


def test_empty_list():
    assert ia.shiftmax([], 3).shape == (0,)


def test_inputs_are_never_float():
    x = [1, 2]
    calls = {
        "p": lambda v: ia.rshift_rhe(v, 0),
        "c": lambda v: ia.requantize(x, 1, v, out_bits=8),
        "v": lambda v: ia.isqrt(v),
        "x": lambda v: ia.requantize(v, 1, 0, out_bits=8),
        "b": lambda v: ia.layernorm(x, v, 0, 0),
        "B": lambda v: ia.layernorm(x, 1, v, 0),
        "c1": lambda v: ia.residual(x, 1, v, x, 1, 0),
        "b2": lambda v: ia.residual(x, 1, 0, x, v, 0),
        "identity": lambda v: ia.residual(x, 1, 0, v, 1, 0),
        "i0": lambda v: ia.shiftmax(x, v),
        "d": lambda v: ia.shift_exp(v, 1, n=3),
    }
    refused = [(1.0, "float64"), (np.float32([1, 2]), "float32"), (True, "bool"),
               (np.zeros(0), "float64"), (2**70, "object")]  # fmt: skip
    for (name, call), (value, dtype) in itertools.product(calls.items(), refused):
        sentence = f"{name} must be an integer or an array of integers, not {dtype}"
        with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
            call(value)
    for form in FORMS:
        with pytest.raises(TypeError, match=r"^x must be an integer or an array of integers, not float64$"):
            ia.shiftgelu([0.5], 3, form=form)
    with pytest.raises(TypeError, match=r"^n must be an integer, not float$"):
        ia.shift_exp(x, 1, n=15.0)
    with pytest.raises(TypeError, match=r"^lam must be an integer, not float$"):
        ia.shift_exp(x, 1, n=15, lam=1.5)
    for call in (lambda: ia.requantize(x, 1, 0, out_bits=8.0), lambda: ia.shiftmax(x, 1, out_bits=16.0)):
        with pytest.raises(TypeError, match=r"^out_bits must be an integer, not float$"):
            call()
    with pytest.raises(TypeError, match=r"^multiplier_bits must be an integer, not float$"):
        ia.dyadic(0.5, 16.0)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ia.rshift_rhe(1, 64), "c must be in 0..63, not 64"),
        (lambda: ia.requantize(1, 1, [3, -1], out_bits=8), "c must be in 0..63, not -1"),
        (lambda: ia.residual(1, 1, 64, 1, 1, 0), "c1 must be in 0..63, not 64"),
        (lambda: ia.residual(1, 1, 0, 1, 1, 65), "c2 must be in 0..63, not 65"),
        (lambda: ia.layernorm([1], 1, 0, 99), "c must be in 0..63, not 99"),
        (lambda: ia.requantize(1, 1, 0, out_bits=12), "out_bits must be 8, 16 or 32, not 12"),
        (lambda: ia.layernorm([1], 1, 0, 0, out_bits=4), "out_bits must be 8, 16 or 32, not 4"),
        (lambda: ia.shiftmax([1], 1, out_bits=32), "out_bits must be 8 or 16, not 32"),
        (lambda: ia.saturate(1, 65), "bits must be in 1..64, not 65"),
        (
            lambda: ia.requantize(2**40, 2**30, 0, out_bits=8),
            f"x * b must stay within 2**62, not reach {2**70}",
        ),
        (
            lambda: ia.residual(1, 1, 0, -(2**40), 2**30, 0),
            f"identity * b2 must stay within 2**62, not reach {2**70}",
        ),
        (
            lambda: ia.layernorm([2**31, 0], 1, 0, 0),
            f"x must keep a row's sum of squares within 2**62, not {2 * (2**32 + 1) ** 2}",
        ),
        (
            lambda: ia.layernorm([1], 2**31 + 1, 0, 0),
            "b must be in -2147483648..2147483648, not 2147483649",
        ),
        (
            lambda: ia.layernorm([1], 1, -(2**62) - 1, 0),
            f"B must be in {-(2**62)}..{2**62}, not {-(2**62) - 1}",
        ),
        (lambda: ia.isqrt([4, -4]), f"v must be in 0..{2**63 - 1}, not -4"),
        (lambda: ia.isqrt(np.uint64(2**63)), f"v must fit in int64, not {2**63}"),
        (lambda: ia.shiftmax([1], 0), "i0 must be in 1..8388608, not 0"),
        (lambda: ia.shift_exp(0, 2**23 + 1, n=3), "i0 must be in 1..8388608, not 8388609"),
        (lambda: ia.shift_exp(0, 1, n=0), "n must be in 1..31, not 0"),
        (lambda: ia.shift_exp(0, 1, n=3, lam=0), "lam must be in 1..65535, not 0"),
        (lambda: ia.shiftmax([1], 1, n=32), "n must be in 1..31, not 32"),
        (
            lambda: ia.shiftmax([1], 1, reciprocal_bits=47),
            "reciprocal_bits must be in 15..46, not 47",
        ),
        (lambda: ia.shiftmax([2**31], 1), "x must be in -2147483648..2147483647, not 2147483648"),
        (
            lambda: ia.shiftgelu([3, 128], 1, form="shift"),
            "x must be in -128..127, not 128",
        ),
        (
            lambda: ia.shiftgelu([1], 1, form="relu"),
            "form must be one of shift, lambda-shift, lambda-shift-elem, not 'relu'",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        call()
