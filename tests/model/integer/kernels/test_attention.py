"""Fused attention against the reference, step by step."""

from typing import Any

import numpy as np
import pytest

from intarsia.model.integer.arithmetic import requantize, shiftmax
from intarsia.model.integer.kernels import attend, attention_steps, shiftmax_rows

SCORE, OUTPUT = (20001, 26), (20001, 29)


def expected(qkv: Any, heads: int, i0: int, score: Any, output: Any, **options: int) -> Any:
    tokens, width = qkv.shape
    dim = width // 3
    q, k, v = qkv.astype(np.int64).reshape(tokens, 3, heads, dim // heads).transpose(1, 2, 0, 3)
    scores = requantize(q @ k.transpose(0, 2, 1), *score, out_bits=8)
    bits = options.pop("probability_bits", 16)
    weights = shiftmax(scores, i0, out_bits=bits, **options)
    out = requantize(weights.astype(np.int64) @ v, *output, out_bits=8)
    return scores, weights, out.transpose(1, 0, 2).reshape(tokens, dim)


def check(qkv: Any, heads: int, i0: int, score: Any = SCORE, output: Any = OUTPUT, **options: int) -> None:
    steps = attention_steps(qkv, heads, i0, score, output, **options)
    for got, want in zip(steps, expected(qkv, heads, i0, score, output, **options), strict=True):
        assert got.dtype == want.dtype and (got == want).all()
    assert (attend(qkv, heads, i0, score, output, **options) == steps[2]).all()


def random(tokens: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(-128, 128, (tokens, 3 * width)).astype(np.int8)


@pytest.mark.parametrize("tokens", [1, 2, 7, 17, 24, 25, 130])
@pytest.mark.parametrize("heads, depth", [(1, 1), (3, 32), (2, 64), (3, 20), (2, 7)])
def test_shapes(tokens: int, heads: int, depth: int) -> None:
    check(random(tokens, heads * depth), heads, 11)


@pytest.mark.parametrize("tokens", [1025, 1174])
def test_whole_image(tokens: int) -> None:
    check(random(tokens, 2 * 64), 2, 12)


@pytest.mark.parametrize("i0", [1, 2, 5, 383, 384, 10900, 65535, 65536, 70000, 2**23])
@pytest.mark.parametrize("n", [1, 8, 15, 31])
def test_exponentials(i0: int, n: int) -> None:
    check(random(40, 32), 1, i0, (30000, 24), n=n)


@pytest.mark.parametrize("reciprocal_bits", [15, 20, 31, 32, 46])
@pytest.mark.parametrize("probability_bits", [8, 16])
def test_probabilities(reciprocal_bits: int, probability_bits: int) -> None:
    options = {"reciprocal_bits": reciprocal_bits, "probability_bits": probability_bits}
    check(random(65, 64), 2, 16, **options)


@pytest.mark.parametrize("score", [(2**30 + 1, 42), (-20001, 26), (32767, 0), (1, 63), (16384, 24)])
def test_score_scales(score: tuple[int, int]) -> None:
    check(random(30, 40), 2, 9, score, (2**31 - 1, 45))


@pytest.mark.parametrize("value", [-128, 127])
def test_extremes(value: int) -> None:
    check(np.full((50, 3 * 64), value, np.int8), 1, 12)


@pytest.mark.parametrize("rows, columns", [(1, 1), (5, 3), (2, 33), (17, 130)])
@pytest.mark.parametrize(
    "i0, n, reciprocal_bits", [(1, 15, 31), (12, 15, 31), (70000, 31, 31), (9, 15, 46)]
)
@pytest.mark.parametrize("out_bits", [8, 16])
def test_rows(rows: int, columns: int, i0: int, n: int, reciprocal_bits: int, out_bits: int) -> None:
    scores = np.random.default_rng(columns).integers(-128, 128, (rows, columns)).astype(np.int8)
    options = {"n": n, "reciprocal_bits": reciprocal_bits, "out_bits": out_bits}
    got, want = shiftmax_rows(scores, i0, **options), shiftmax(scores, i0, **options)
    assert got.dtype == want.dtype and (got == want).all()


def test_rows_refuses_empty_rows() -> None:
    with pytest.raises(ValueError, match="scores must have at least one column, not 0"):
        shiftmax_rows(np.empty((2, 0), np.int8), 12)


def test_refuses_other_probability_widths() -> None:
    with pytest.raises(ValueError, match="probabilities must have 8 or 16 bits, not 12"):
        attend(random(2, 8), 1, 12, SCORE, OUTPUT, probability_bits=12)


def test_refuses_constants_out_of_range() -> None:
    with pytest.raises(ValueError, match="not i0 = 0, n = 15, reciprocal_bits = 31"):
        attend(random(2, 8), 1, 0, SCORE, OUTPUT)
    with pytest.raises(ValueError, match=r"columns must be 3 \* 3 heads of one size, not 24"):
        attend(random(2, 8), 3, 12, SCORE, OUTPUT)
