"""The arithmetic in ONNX against `model.integer.arithmetic`, at the ends of its ranges."""

from fractions import Fraction

import numpy as np
import pytest

from intarsia.model.export import arithmetic
from intarsia.model.integer.arithmetic import isqrt as exact_isqrt
from intarsia.model.integer.arithmetic import layernorm, rshift_rhe, saturate
from intarsia.model.integer.arithmetic import residual as exact_residual


def around(c: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers that are hard to divide by 2**c: ties, their neighbours, wide ones, the ends."""
    half = 2**c // 2
    ties = [k * half + e for k in (-257, -3, -2, -1, 0, 1, 2, 3, 255, 65537) for e in (-1, 0, 1)]
    # The low half of a 64-bit number that looks negative, and the first beyond 32 bits.
    halves = [sign * (2**k + e) for k in (31, 32, 61) for e in (-1, 0, 1) for sign in (-1, 1)]
    values = [v for v in (*ties, *halves, 2**62, -(2**62)) if abs(v) <= 2**62]
    wide = rng.integers(-(2**62), 2**62, 64, endpoint=True) >> rng.integers(0, 62, 64)
    return np.concatenate([np.array(values, np.int64), wide])


@pytest.mark.parametrize("bits", [8, 16])
def test_requantize_is_exact_for_every_shift(evaluate, bits):
    rng = np.random.default_rng(1)
    rows = [around(c, rng) for c in range(64)]
    width = min(map(len, rows))
    p = np.stack([np.r_[row[:24], row[-(width - 24) :]] for row in rows], axis=1)
    shifts = np.arange(64)
    out = evaluate(lambda w: arithmetic.requantize(w, "p", shifts, bits), f"int{bits}", p=p)
    np.testing.assert_array_equal(out, saturate(rshift_rhe(p, shifts), bits))


@pytest.mark.parametrize("c", [0, 1, 2, 18, 31, 32, 47, 48, 55, 56, 62, 63])
def test_requantize_is_exact_for_one_shift(evaluate, c):
    p = around(c, np.random.default_rng(c))
    out = evaluate(lambda w: arithmetic.requantize(w, "p", c, 8), "int8", p=p)
    np.testing.assert_array_equal(out, saturate(rshift_rhe(p, c), 8))


@pytest.mark.parametrize(
    ("b1", "c1", "b2", "c2"),
    [
        (32767, 15, 16384, 14),
        (2**31 - 1, 0, -(2**31), 0),
        (2**31 - 1, 0, -(2**31) + 1, 0),
        (1, 1, 3, 2),
        (2**31 - 1, 46, 2**31 - 1, 47),
        (-(2**31), 48, 2**31 - 1, 63),
        (20001, 62, 30001, 31),
    ],
)
def test_residual_saturates_the_exact_sum(evaluate, b1, c1, b2, c2):
    rng = np.random.default_rng(2)
    ends = np.array([-32768, -32767, -2, -1, 0, 1, 2, 3, 32766, 32767])
    x, identity = (a.ravel() for a in np.meshgrid(ends, ends))
    noise = rng.integers(-32768, 32768, (2, 200))
    x, identity = np.int16(np.r_[x, noise[0]]), np.int16(np.r_[identity, noise[1]])
    out = evaluate(lambda w: arithmetic.residual(w, "x", b1, c1, "y", b2, c2), "int16", x=x, y=identity)
    np.testing.assert_array_equal(out, exact_residual(x, b1, c1, identity, b2, c2))


def test_isqrt_is_the_floor_around_every_kind_of_square(evaluate):
    rng = np.random.default_rng(3)
    roots = np.r_[np.arange(300), 2 ** np.arange(9, 21), rng.integers(0, 2**21, 500), 2**21 - 1].astype(
        np.int64
    )
    v = np.unique(np.r_[roots**2, roots**2 + 2 * roots, np.maximum(roots**2 - 1, 0)])[:, None]
    out = evaluate(lambda w: arithmetic.isqrt(w, "v", 21), "int64", v=v)
    np.testing.assert_array_equal(out, exact_isqrt(v))


@pytest.mark.parametrize("width", [1, 2, 3, 64, 150])
def test_row_mean_rounds_half_to_even(evaluate, width):
    rng = np.random.default_rng(4)
    x = rng.integers(-32768, 32768, (500, width))
    x[:2] = [[-32768], [32767]]
    x[2:100] = rng.integers(-2, 3, (98, width))
    out = evaluate(lambda w: arithmetic.row_mean(w, "x", width), "int64", x=x)
    wanted = [[round(Fraction(int(row.sum()), width))] for row in x]
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("width", [1, 2, 150, 256, 4096])
def test_standardized_rows_are_exact_at_the_ends_of_int16(evaluate, width):
    rng = np.random.default_rng(5)
    x = rng.integers(-32768, 32768, (12, width)).astype(np.int16)
    x[0], x[1], x[2] = -32768, 32767, 0
    x[3, ::2], x[3, 1::2] = -32768, 32767
    x[4], x[4, 0] = 0, 1  # the root is 1 or less
    x[5], x[5, 0] = -32768, 32767
    x[6] = rng.integers(-1, 2, width)
    out = evaluate(lambda w: arithmetic.standardized(w, "x", width), "int64", x=x)
    np.testing.assert_array_equal(out, layernorm(x, 1, 0, 0, out_bits=32))


@pytest.mark.parametrize("depth", [1, 2, 3, 64, 768])
def test_product_is_exact_where_every_partial_sum_is_largest(evaluate, depth):
    rng = np.random.default_rng(6)
    x = rng.choice(np.array([-128, 127], np.int8), (37, depth))
    y = rng.choice(np.array([-128, 127], np.int8), (depth, 19))
    x[0], x[1], x[2] = -128, 127, rng.integers(-128, 128, depth)
    y[:, 0], y[:, 1], y[:, 2] = -128, 127, rng.integers(-128, 128, depth)
    out = evaluate(
        lambda w: arithmetic.product(w, arithmetic.unsigned(w, "x"), arithmetic.unsigned(w, "y")),
        "int32",
        x=x,
        y=y,
    )
    np.testing.assert_array_equal(out, x.astype(np.int64) @ y)


def test_row_sums_are_exact_beyond_53_bits(evaluate):
    x = np.array([[2**61, 1, -3], [-(2**61), 2**60 + 1, 2**59 + 1]])
    out = evaluate(lambda w: arithmetic.row_sums(w, "x", 3), "int64", x=x)
    np.testing.assert_array_equal(out, x.sum(axis=1, keepdims=True))
