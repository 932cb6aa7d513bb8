"""Offline constants: every value against exact fractions, every refusal by its sentence."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from intarsia.model.integer import arithmetic as ia

MANTISSAS = st.floats(0.5, 1, exclude_max=True)


def dyadic_oracle(ratio, bits):
    value = Fraction(ratio)
    e = 0
    while abs(value) >= 1:
        value, e = value / 2, e + 1
    while 0 < abs(value) < Fraction(1, 2):
        value, e = value * 2, e - 1
    b = math.floor(abs(value) * 2 ** (bits - 1) + Fraction(1, 2)) * (-1 if value < 0 else 1)
    c = bits - 1 - e
    return (b // 2, c - 1) if abs(b) == 2 ** (bits - 1) else (b, c)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MANTISSAS, st.integers(-31, 0), st.sampled_from([1, -1]), st.integers(2, 32))
@example(1 - 2**-53, 0, 1, 16)  # rounds up to 2**(M-1) and is halved
@example(1 - 2**-53, 0, -1, 32)
@example((16384 + 0.5) / 2**15, 0, -1, 16)  # a tie goes away from zero
def test_dyadic(mantissa, exponent, sign, bits):
    ratio = sign * math.ldexp(mantissa, exponent)
    b, c = ia.dyadic(ratio, bits)
    assert (b, c) == dyadic_oracle(ratio, bits)
    assert (type(b), type(c)) == (int, int)
    assert 2 ** (bits - 2) <= abs(b) < 2 ** (bits - 1)
    assert abs(Fraction(b, 2**c) / Fraction(ratio) - 1) <= Fraction(1, 2 ** (bits - 1))


def test_dyadic_of_arrays_and_of_zero():
    ratios = np.array([[0.1, -0.25], [0.0, 1.0]])
    b, c = ia.dyadic(ratios)
    assert b.dtype == c.dtype == np.int64
    assert [(int(v), int(k)) for v, k in zip(b.flat, c.flat, strict=True)] == [
        ia.dyadic(float(r)) for r in ratios.flat
    ]
    assert ia.dyadic(0.0) == (0, 15)
    assert ia.dyadic(1) == (16384, 14)
    assert ia.dyadic(np.float32(0.5), 32) == (2**30, 31)
    assert ia.dyadic([0.5])[0].tolist() == [16384]
    assert ia.dyadic(np.zeros(0))[0].shape == (0,)


def test_dyadic_at_the_ends_of_the_shift():
    assert ia.dyadic(2.0**-49) == (16384, 63)
    assert ia.dyadic(2.0**15 - 1) == (32767, 0)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: ia.dyadic([1.0, 32768.0]),
            "ratio must have its shift c in 0..63, not -1, which 32768.0 needs with 16 multiplier bits",
        ),
        (  # only after the halving
            lambda: ia.dyadic(2.0**15 - 2.0**-10),
            "ratio must have its shift c in 0..63, not -1, which 32767.9990234375 needs with 16 "
            "multiplier bits",
        ),
        (
            lambda: ia.dyadic(-1e-20, 32),
            "ratio must have its shift c in 0..63, not 97, which -1e-20 needs with 32 multiplier bits",
        ),
        (lambda: ia.dyadic(math.inf), "ratio must be finite, not inf"),
        (lambda: ia.dyadic([1.0, math.nan]), "ratio must be finite, not nan"),
        (lambda: ia.dyadic(1.0, 33), "multiplier_bits must be in 2..32, not 33"),
        (lambda: ia.softmax_i0(0.0), f"S must be finite and at least {2**-23!r}, not 0.0"),
        (lambda: ia.softmax_i0(math.nan), f"S must be finite and at least {2**-23!r}, not nan"),
        (
            lambda: ia.gelu_i0(math.inf, "shift"),
            f"S must be finite and at least {2**-23!r}, not inf",
        ),
        (
            lambda: ia.gelu_i0(0.1, "tanh"),
            "form must be one of shift, lambda-shift, lambda-shift-elem, not 'tanh'",
        ),
        (
            lambda: ia.layernorm_constants([1.0], [0.0], -1.0),
            "s_out must be finite and positive, not -1.0",
        ),
        (
            lambda: ia.layernorm_constants([1e-3, 1e-3], [1e9, 0.0], 1e-2),
            "beta must keep |B| within 2**62, not reach 1.40737488355328e+25",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        call()


def test_dyadic_refuses_what_is_not_a_real_number():
    sentence = "ratio must be a real number or an array of them, not complex128"
    with pytest.raises(TypeError, match=f"^{sentence}$"):
        ia.dyadic(1j)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(2.0**-23, 4.0))
@example(2.0**-23)
@example(1 / 129)
def test_i0(scale):
    assert ia.softmax_i0(scale) == math.ceil(1 / scale)
    for form in ("shift", "lambda-shift-elem"):
        assert ia.gelu_i0(scale, form) == math.ceil(1 / (1.702 * scale))
    assert ia.gelu_i0(scale, "lambda-shift") == max(1, round(1 / scale))


def test_i0_of_a_float32_scale_is_computed_in_float64():
    scale = np.float32(1 / 129)
    assert ia.softmax_i0(scale) == math.ceil(1 / float(scale))


def test_gelu_forms_are_the_contract():
    assert ia.GELU_FORMS == {
        "shift": (23, 1),
        "lambda-shift": (23, 6),
        "lambda-shift-elem": (12, None),
    }


@pytest.mark.parametrize("bits", [16, 32])
def test_layernorm_constants(bits):
    rng = np.random.default_rng(3)
    gamma, beta, s_out = rng.normal(1, 0.5, 192), rng.normal(0, 1, 192), 0.03
    gamma[5] = 0.0
    b, bias, c = ia.layernorm_constants(gamma, beta, s_out, bits)
    ratio = gamma * math.sqrt(192) / 2**30 / s_out
    assert 2 ** (bits - 2) <= np.abs(b).max() < 2 ** (bits - 1)
    assert b[5] == 0
    assert np.abs(b - ratio * 2.0**c).max() <= 0.5
    assert np.abs(bias - beta / s_out * 2.0**c).max() <= 0.5 + 2.0**-52 * np.abs(bias).max()

    x = rng.integers(-3000, 3000, (4, 192))
    got = ia.layernorm(x, b, bias, c) * s_out
    want = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) * gamma + beta
    assert np.abs(got - np.clip(want, -128 * s_out, 127 * s_out)).max() < 0.6 * s_out


def test_layernorm_constants_of_nothing():
    b, bias, c = ia.layernorm_constants(np.zeros(4), np.ones(4), 0.5)
    assert (b.tolist(), bias.tolist(), c) == ([0] * 4, [2**16] * 4, 15)
