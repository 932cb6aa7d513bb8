"""The integer operators against slow oracles of Python integers and fractions."""

import doctest
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from intarsia.model.integer import arithmetic as ia

I31 = 2**31 - 1
INT8 = list(range(-128, 128))
FORMS = ("shift", "lambda-shift", "lambda-shift-elem")


def examples(n):
    return settings(deadline=None, derandomize=True, max_examples=n)


int8_rows = st.lists(st.integers(-128, 127), min_size=1, max_size=12)
int16_rows = st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=12)
int32s = st.integers(-(2**31), 2**31 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
shifts = st.integers(0, 63)
i0s = st.integers(1, 2**23) | st.integers(1, 300)


# The oracles: fractions until the rounding, which Python does half to even.


def sat(v, bits):
    return min(max(v, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def rhe(p, q):
    return round(Fraction(p, q))


def layernorm_oracle(row, b, bias, c, bits):
    mu = rhe(sum(row), len(row))
    y = [x - mu for x in row]
    f = I31 // max(math.isqrt(sum(v * v for v in y)), 1)
    z = [math.floor(Fraction(v * f, 2)) for v in y]
    return [sat(rhe(v * m + a, 2**k), bits) for v, m, a, k in zip(z, b, bias, c, strict=True)]


def shift_exp_oracle(d, i0, n, lam):
    p = d + math.floor(Fraction(d, 2)) - math.floor(Fraction(d, 16))
    if lam is not None:
        p = max(p, -lam * n * i0)
    q = math.floor(Fraction(p, -i0))
    r = p + q * i0
    assert -i0 < r <= 0
    if q < -64:
        return I31
    if q > 200:
        return 0
    e = math.floor((Fraction(r, 2) + i0) * Fraction(2) ** (n - q))
    return min(e, I31) if q < 0 else e


def shiftmax_oracle(row, i0, n, reciprocal_bits, bits):
    e = [shift_exp_oracle(x - max(row), i0, n, 1) for x in row]
    f = (2**reciprocal_bits - 1) // min(sum(e), I31)
    p = [min((v * f) >> (reciprocal_bits - 15), 32767) for v in e]
    return p if bits == 16 else [v >> 8 for v in p]


def sigmoid_oracle(row, i0, form, n, lam):
    if form == "lambda-shift":
        row = [x + math.floor(x / 2) + math.floor(x / 8) + math.floor(x / 16) for x in row]
    out = []
    for x in row:
        m = max(x, 0) if form == "lambda-shift-elem" else max(row)
        e1, e2 = shift_exp_oracle(x - m, i0, n, lam), shift_exp_oracle(-m, i0, n, lam)
        s = min(e1 + e2, I31)
        sign = 127 if x > 0 else 0 if x < 0 else 64
        out.append(sign if s == 0 else min((e1 * (I31 // s)) >> 24, 127))
    return out


def shiftgelu_oracle(row, i0, form, n, lam):
    return [x * g for x, g in zip(row, sigmoid_oracle(row, i0, form, n, lam), strict=True)]


# Rounding and requantization.


@examples(120)
@given(st.lists(int64s, min_size=1, max_size=8), shifts)
@example([2**63 - 1, -(2**63), 2**62, -(2**62), 3 * 2**61, -3 * 2**61], 63)
@example([2**63 - 1, -(2**63), 2**63 - 2], 1)
@example([2**63 - 1, -(2**63)], 0)
def test_rshift_rhe(p, c):
    assert ia.rshift_rhe(p, c).tolist() == [rhe(v, 2**c) for v in p]


def test_rshift_rhe_exhaustive():
    p, c = np.arange(-1100, 1101), np.arange(64)[:, None]
    want = [[rhe(int(v), 2**k) for v in p] for k in range(12)]
    got = ia.rshift_rhe(p, c)
    assert got[:12].tolist() == want
    assert not got[12:].any()


@pytest.mark.parametrize("bits", [1, 2, 8, 16, 32, 63, 64])
def test_saturate(bits):
    values = [-(2**63), -(2**31) - 1, -129, -128, -2, -1, 0, 1, 127, 128, 2**31, 2**63 - 1]
    assert ia.saturate(values, bits).tolist() == [sat(v, bits) for v in values]


@examples(120)
@given(st.lists(int32s, min_size=1, max_size=8), int32s, shifts, st.sampled_from([8, 16, 32]))
@example([-(2**31), 2**31 - 1, 0, 1, -1], -(2**31), 0, 32)
@example([-(2**31), 2**31 - 1, 0, 1, -1], -(2**31), 63, 8)
@example([1, 3, 5, -1, -3, -5, 255, 257], 1, 1, 8)  # ties, and both sides of saturation
def test_requantize(x, b, c, bits):
    got = ia.requantize(x, b, c, out_bits=bits)
    assert got.tolist() == [sat(rhe(v * b, 2**c), bits) for v in x]
    assert got.dtype == f"int{bits}"


def test_requantize_broadcasts_channels():
    x = np.arange(-12, 12, dtype=np.int32).reshape(2, 3, 4) * 1000
    b, c = np.array([16384, -20000, 32767, 0]), np.array([20, 15, 22, 0])
    want = [sat(rhe(int(v) * int(m), 2 ** int(k)), 8) for v, m, k in zip(
        x.ravel(), np.tile(b, 6), np.tile(c, 6), strict=True)]  # fmt: skip
    assert ia.requantize(x, b, c, out_bits=8).ravel().tolist() == want


@examples(120)
@given(st.lists(st.tuples(int32s, int32s), min_size=1, max_size=6), int32s, shifts, int32s, shifts)
@example([(-(2**31), -(2**31)), (-(2**31), 2**31 - 1)], -(2**31), 0, -(2**31), 0)
@example([(-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1)], -(2**31), 0, 2**31 - 1, 0)
@example([(1, 1), (3, 3), (-1, 1), (5, -3)], 1, 1, 1, 1)  # each half rounds on its own
def test_residual(pairs, b1, c1, b2, c2):
    x, identity = zip(*pairs, strict=True)
    got = ia.residual(x, b1, c1, identity, b2, c2)
    want = [sat(rhe(v * b1, 2**c1) + rhe(w * b2, 2**c2), 16) for v, w in pairs]
    assert got.tolist() == want
    assert got.dtype == np.int16


def test_residual_rounds_twice():
    assert ia.residual(1, 1, 1, 1, 1, 1) == 0  # RHE(0.5) + RHE(0.5); one rounding would give 1


# Square root and LayerNorm.


def test_isqrt_exhaustive_and_around_squares():
    v = np.arange(100_000)
    assert ia.isqrt(v).tolist() == [math.isqrt(k) for k in range(100_000)]
    roots = [2**k + j for k in range(2, 32) for j in (-1, 0, 1)][:-1]
    near = [r * r + j for r in roots for j in (-1, 0, 1)]
    assert ia.isqrt(near).tolist() == [math.isqrt(k) for k in near]


@examples(120)
@given(st.lists(st.integers(0, 62).flatmap(lambda k: st.integers(0, 2**k)), max_size=9))
@example([2**62, 2**62 - 1, 0, 1])
@example([2**63 - 1])
def test_isqrt(v):
    got = ia.isqrt(v)
    assert got.dtype == np.int64
    assert got.tolist() == [math.isqrt(k) for k in v]


@examples(300)
@given(int16_rows, st.data(), st.sampled_from([8, 16, 32]))
def test_layernorm(row, data, bits):
    def channels(values):
        return data.draw(st.lists(values, min_size=len(row), max_size=len(row)))

    b, bias = channels(st.integers(-(2**31), 2**31)), channels(st.integers(-(2**62), 2**62))
    c = channels(shifts)
    got = ia.layernorm(row, b, bias, c, out_bits=bits)
    assert got.tolist() == layernorm_oracle(row, b, bias, c, bits)
    assert got.dtype == f"int{bits}"


@examples(60)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=9), st.integers(-(2**15), 2**15))
def test_layernorm_of_realistic_constants(row, b):
    rows = np.array([row, row[::-1]])
    got = ia.layernorm(rows, b, 5 << 30, 34)
    n = len(row)
    want = [layernorm_oracle(r, [b] * n, [5 << 30] * n, [34] * n, 8) for r in rows.tolist()]
    assert got.tolist() == want
    assert got.dtype == np.int8


@pytest.mark.parametrize("row", [[7], [-32768] * 5, [32767] * 4096, [3, 4], [5, 4], [0, 0, 1, 1]])
def test_layernorm_of_flat_rows_and_tied_means(row):
    n = len(row)
    want = layernorm_oracle(row, [20000] * n, [3 << 30] * n, [30] * n, 8)
    assert ia.layernorm(row, 20000, 3 << 30, 30).tolist() == want
    if len(set(row)) == 1:
        assert set(want) == {3}  # B alone


def test_layernorm_of_the_widest_row():
    row = [-32768, 32767] * 2048
    y = [x - rhe(sum(row), 4096) for x in row]
    assert sum(v * v for v in y) < 2**42
    b, bias = [2**31, -(2**31)] * 2048, [2**62, -(2**62)] * 2048
    for c in (0, 44, 63):
        want = layernorm_oracle(row, b, bias, [c] * 4096, 32)
        assert ia.layernorm(row, b, bias, c, out_bits=32).tolist() == want


# ShiftExp, Shiftmax, ShiftGELU.


@examples(400)
@given(
    st.lists(st.integers(-600, 0) | st.integers(-(2**33), 2**33) | int64s, min_size=1, max_size=6),
    i0s,
    st.integers(1, 31),
    st.none() | st.integers(1, 8) | st.just(65535),
)
@example([-(2**63), 2**63 - 1, -(2**40), 2**40], 2**23, 31, None)
@example([-(2**63), 2**63 - 1, -(2**40), 2**40], 2**23, 31, 65535)
@example([0, -1, -2, 1, 2], 1, 1, 1)
def test_shift_exp(d, i0, n, lam):
    got = ia.shift_exp(d, i0, n=n, lam=lam)
    assert got.dtype == np.int64
    assert got.tolist() == [shift_exp_oracle(v, i0, n, lam) for v in d]


@pytest.mark.parametrize(("n", "lam"), [(15, 1), (23, 1), (23, 6), (12, None), (2, 3)])
@pytest.mark.parametrize("i0", [1, 2, 3, 10, 77])
def test_shift_exp_exhaustive(i0, n, lam):
    d = list(range(-1200, 200))
    want = [shift_exp_oracle(v, i0, n, lam) for v in d]
    assert ia.shift_exp(d, i0, n=n, lam=lam).tolist() == want


def test_shift_exp_beyond_n_and_of_positive_arguments():
    assert ia.shift_exp([-5, -50, -500], 1, n=4, lam=6).tolist() == [0, 0, 0]
    assert ia.shift_exp(-(10**6), 100, n=15).tolist() == 100  # the bound keeps e at i0
    assert ia.shift_exp([1, 100, 10**6], 10, n=23, lam=6).tolist() == [11 << 23, I31, I31]


@examples(250)
@given(int8_rows, i0s, st.integers(1, 31), st.integers(15, 46), st.sampled_from([8, 16]))
@example([127] * 9 + [-128], 2**23, 31, 46, 16)
@example([127] * 9 + [-128], 2**23, 15, 31, 16)
def test_shiftmax(row, i0, n, reciprocal_bits, bits):
    got = ia.shiftmax(row, i0, n=n, reciprocal_bits=reciprocal_bits, out_bits=bits)
    assert got.tolist() == shiftmax_oracle(row, i0, n, reciprocal_bits, bits)
    assert got.dtype == f"int{bits}"


@pytest.mark.parametrize("reciprocal_bits", [31, 46])
@pytest.mark.parametrize("i0", [1, 64, 2**23])
@pytest.mark.parametrize("width", [1, 1025, 4096])
def test_shiftmax_of_flat_rows(width, i0, reciprocal_bits):
    got = ia.shiftmax([[-128] * width] * 2, i0, reciprocal_bits=reciprocal_bits)
    one = shiftmax_oracle([-128] * width, i0, 15, reciprocal_bits, 16)
    assert got.tolist() == [one, one]


def test_more_reciprocal_bits_repair_the_row_sum():
    scores = np.random.default_rng(7).integers(-127, 128, (1, 1025))
    i0 = ia.softmax_i0(2 / 127)
    sums = [ia.shiftmax(scores, i0, reciprocal_bits=r).sum() / 2**15 for r in (31, 46)]
    assert sums[0] < 0.9
    assert sums[1] > 0.98


@examples(300)
@given(int8_rows, i0s, st.sampled_from(FORMS), st.none() | st.integers(1, 31), st.booleans())
@example([-128, -1, -77], 1, "shift", None, False)  # all negative: a positive argument
@example([-128, -1, -77], 2**23, "lambda-shift", 31, False)
@example([-128, 0, 127], 1, "lambda-shift", None, False)  # s = 0
def test_shiftgelu(row, i0, form, n, clamp):
    lam = 2 if clamp else None
    got = ia.shiftgelu(row, i0, form=form, n=n, lam=lam)
    default_n, default_lam = ia.GELU_FORMS[form]
    want = shiftgelu_oracle(row, i0, form, n or default_n, lam or default_lam)
    assert got.tolist() == want
    assert got.dtype == np.int16


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("i0", [1, 2, 8, 37, 200, 5000, 2**23])
def test_shiftgelu_of_every_byte(i0, form):
    n, lam = ia.GELU_FORMS[form]
    rows = [INT8, INT8[:128], INT8[:1], INT8[:60]]
    for row in rows:
        got = ia.shiftgelu(row, i0, form=form)
        assert got.tolist() == shiftgelu_oracle(row, i0, form, n, lam)
        assert ia.gelu_sigmoid(row, i0, form=form).tolist() == sigmoid_oracle(row, i0, form, n, lam)


def test_shiftgelu_without_a_sum_follows_the_sign():
    sig = ia.gelu_sigmoid([-128, -1, 0, 1, 127], 1, form="lambda-shift")
    assert ia.shift_exp(-212, 1, n=23, lam=6) == 0
    assert sig.tolist() == [0, 0, 64, 127, 127]


def test_elementwise_form_is_a_function_of_one_byte():
    table = ia.shiftgelu(INT8, 40, form="lambda-shift-elem")
    rows = np.random.default_rng(0).integers(-128, 128, (5, 33))
    assert (ia.shiftgelu(rows, 40, form="lambda-shift-elem") == table[rows + 128]).all()


@pytest.mark.parametrize(
    ("form", "errors"),  # per |x|max of 3, 8, 12 and 40
    [
        ("shift", (0.014, 0.018, 0.364, 0.417)),
        ("lambda-shift", (0.021, 0.019, 0.125, 0.125)),
        ("lambda-shift-elem", (0.010, 0.020, 0.029, 0.038)),
    ],
)
def test_error_against_exact_gelu_is_as_documented(form, errors):
    for largest, want in zip((3, 8, 12, 40), errors, strict=True):
        scale = largest / 127
        x = np.clip(np.rint(np.random.default_rng(1).normal(0, 1, (8, 1536)) / scale), -127, 127)
        x[:, 0] = 127
        got = ia.shiftgelu(x.astype(np.int8), ia.gelu_i0(scale, form), form=form) * scale / 128
        phi = np.vectorize(math.erf)(x * scale / math.sqrt(2)) / 2 + 0.5
        assert np.sqrt(np.mean((got - x * scale * phi) ** 2)) == pytest.approx(want, abs=0.001)


def test_documented_examples():
    page = Path(__file__).parents[3] / "docs" / "numerics.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 20
    assert result.failed == 0
