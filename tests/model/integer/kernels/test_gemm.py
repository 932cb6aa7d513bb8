"""Linear layers: both engines against exact products and the reference requantization."""

from typing import Any

import numpy as np
import pytest

from intarsia.model.integer.arithmetic import requantize
from intarsia.model.integer.kernels import linear

SHAPES = [(1, 1, 1), (7, 17, 3), (17, 40, 64), (50, 150, 33), (97, 130, 192), (1025, 48, 70)]
ENGINES = pytest.mark.parametrize("byte_products", [False, True])


def expected(x: Any, weight: Any, bias: Any, b: Any, c: Any, out_bits: int) -> Any:
    acc = x.astype(np.int64) @ weight.T.astype(np.int64) + (0 if bias is None else bias)
    return requantize(acc, b, c, out_bits=out_bits)


def int8(rng: np.random.Generator, *shape: int) -> Any:
    return rng.integers(-128, 128, shape).astype(np.int8)


@ENGINES
@pytest.mark.parametrize("out_bits", [8, 16])
@pytest.mark.parametrize("shape", SHAPES)
def test_typical(shape: tuple[int, int, int], out_bits: int, byte_products: bool) -> None:
    m, n, k = shape
    rng = np.random.default_rng(m)
    x, weight = int8(rng, m, k), int8(rng, n, k)
    bias = rng.integers(-(2**20), 2**20, n).astype(np.int32)
    b, c = rng.integers(2**14, 2**15, n), rng.integers(20, 30, n) - out_bits // 2
    out = linear(x, weight, bias, b, c, out_bits=out_bits, byte_products=byte_products)
    assert out.dtype == (np.int8 if out_bits == 8 else np.int16) and out.flags.c_contiguous
    assert (out == expected(x, weight, bias, b, c, out_bits)).all()


@ENGINES
@pytest.mark.parametrize("out_bits", [8, 16])
@pytest.mark.parametrize("bits", [2, 16, 21, 32])
def test_every_shift(bits: int, out_bits: int, byte_products: bool) -> None:
    """All shifts, multipliers of any sign, with trailing zeros so that exact halves occur."""
    rng = np.random.default_rng(bits)
    n = 64 * 5
    x, weight, c = int8(rng, 37, 24), int8(rng, n, 24), np.arange(n) % 64
    b = rng.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), n)
    b[: n // 2] &= -(2 ** (bits // 2))
    bias = rng.integers(-(2**30), 2**30, n).astype(np.int32) // 2 ** rng.integers(0, 31, n)
    bias = bias.astype(np.int32)
    out = linear(x, weight, bias, b, c, out_bits=out_bits, byte_products=byte_products)
    assert (out == expected(x, weight, bias, b, c, out_bits)).all()


@ENGINES
@pytest.mark.parametrize("x", [-128, 127])
@pytest.mark.parametrize("w", [-128, 127])
def test_extremes(x: int, w: int, byte_products: bool) -> None:
    """The largest accumulators that 4096 channels make, at ratios that do and do not saturate."""
    xs, weight = np.full((8, 4096), x, np.int8), np.full((5, 4096), w, np.int8)
    b, c = np.array([32767, -32767, 2**31 - 1, -(2**31) + 1, 1]), np.array([34, 33, 50, 51, 20])
    for bits in 8, 16:
        out = linear(xs, weight, None, b, c, out_bits=bits, byte_products=byte_products)
        assert (out == expected(xs, weight, None, b, c, bits)).all()


def test_halves_round_to_even() -> None:
    x = np.arange(-100, 100, dtype=np.int8)[:, np.newaxis]
    for shift in 1, 2, 5, 24, 33:
        b = np.int64(1) << max(shift - 5, 0)
        out = linear(x, np.ones((16, 1), np.int8), None, b, shift)
        assert (out == requantize(x.astype(np.int64), b, shift, out_bits=8)).all()


def test_scalars_serve_every_column() -> None:
    rng = np.random.default_rng(0)
    x, weight = int8(rng, 9, 20), int8(rng, 21, 20)
    columns = linear(x, weight, None, np.full(21, 20000), np.full(21, 24))
    assert (linear(x, weight, None, 20000, 24) == columns).all()


def test_read_only_operands() -> None:
    rng = np.random.default_rng(0)
    x, weight = int8(rng, 9, 20), int8(rng, 21, 20)
    before = linear(x, weight, None, 20000, 24)
    weight.flags.writeable = False
    for byte_products in False, True:
        assert (linear(x, weight, None, 20000, 24, byte_products=byte_products) == before).all()


@pytest.mark.parametrize("b, c", [(2**31, 0), (1, 64), (1, -1)])
def test_refuses_constants_out_of_range(b: int, c: int) -> None:
    with pytest.raises(ValueError, match=r"within 2\^31 - 1 and shifts within 0\.\.63"):
        linear(np.zeros((1, 1), np.int8), np.zeros((1, 1), np.int8), None, b, c)


def test_refuses_operands_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="x must have the 3 columns of the weight, not 2"):
        linear(np.zeros((1, 2), np.int8), np.zeros((1, 3), np.int8), None, 1, 0)
