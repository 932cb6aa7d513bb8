"""Kernels and reference at the corners of all their ranges, against Python's integers."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from intarsia.model.integer import arithmetic
from intarsia.model.integer.constants import MAX_BIAS
from intarsia.model.integer.graph import Node
from intarsia.model.integer.kernels import attention_steps, layernorm, linear, residual, shiftmax_rows
from intarsia.model.ops import OPERATORS

I31 = 2**31 - 1


def near(*centres: int, low: int, high: int) -> Any:
    """Integers about the ends of a range and about other points of it, and all the others."""
    points = {low, high, *centres}
    close = sorted({p + d for p in points for d in (-2, -1, 0, 1, 2) if low <= p + d <= high})
    return st.sampled_from(close) | st.integers(low, high)


POWERS = [sign * 2**k for k in range(0, 63, 3) for sign in (1, -1)]
INT8 = near(0, low=-128, high=127)
INT16 = near(0, low=-(2**15), high=2**15 - 1)
INT32 = near(0, *(p for p in POWERS if abs(p) < 2**31), low=-(2**31), high=I31)
MULTIPLIER = near(0, *(p for p in POWERS if abs(p) < 2**31), low=-I31, high=I31)
SHIFT = near(8, 16, 30, 31, 32, 46, 47, 48, low=0, high=63)
BIAS = near(0, *POWERS, low=-MAX_BIAS, high=MAX_BIAS)


def rhe(p: int, c: int) -> int:
    """RHE(p / 2^c)."""
    q, rest = p >> c, p - (p >> c << c)
    return q + (2 * rest > 1 << c or (2 * rest == 1 << c and q % 2 == 1))


def saturated(v: int, bits: int) -> int:
    return max(-(2 ** (bits - 1)), min(v, 2 ** (bits - 1) - 1))


def wrapped(v: int) -> int:
    """As int32."""
    return (v + 2**31) % 2**32 - 2**31


def normed(row: list[int], b: list[int], B: list[int], c: int, bits: int) -> list[int]:
    d, total = len(row), sum(row)
    mean = total // d
    rest = 2 * (total - mean * d)
    mean += rest > d or (rest == d and mean % 2 == 1)
    y = [x - mean for x in row]
    f = I31 // max(isqrt(sum(v * v for v in y)), 1)
    columns = zip(y, b, B, strict=True)
    return [saturated(rhe((v * f >> 1) * m + a, c), bits) for v, m, a in columns]


@settings(max_examples=400, deadline=None)
@given(data=st.data(), c=SHIFT, bits=st.sampled_from([8, 16]))
def test_layernorm(data: Any, c: int, bits: int) -> None:
    d = data.draw(st.integers(1, 5))
    row = data.draw(st.lists(INT16, min_size=d, max_size=d))
    b = data.draw(st.lists(MULTIPLIER | st.just(-(2**31)), min_size=d, max_size=d))
    B = data.draw(st.lists(BIAS, min_size=d, max_size=d))
    x = np.array([row], np.int16)
    want = [normed(row, b, B, c, bits)]
    assert arithmetic.layernorm(x, b, np.array(B), c, out_bits=bits).tolist() == want
    assert layernorm(x, b, np.array(B), c, out_bits=bits).tolist() == want


@pytest.mark.parametrize("c", [60, 61, 62, 63])
@pytest.mark.parametrize("b", [-(2**31), -I31, I31, 0])
def test_layernorm_at_its_largest(c: int, b: int) -> None:
    """z = -2^30 or 2^30 - 1 with the largest multipliers and biases: sums of up to 2^62 + 2^61."""
    biases = [sign * (MAX_BIAS - less) for sign in (1, -1) for less in (0, 1, 2**30, 2**61)]
    for row in ([-1, 1], [1, -1], [-32768, 32767]):
        x = np.array([row], np.int16)
        for B in biases:
            want = [normed(row, [b, b], [B, B], c, 16)]
            assert layernorm(x, b, B, c, out_bits=16).tolist() == want
            assert arithmetic.layernorm(x, b, B, c, out_bits=16).tolist() == want


@settings(max_examples=400, deadline=None)
@given(x=INT16, b1=MULTIPLIER, c1=SHIFT, y=INT16, b2=MULTIPLIER, c2=SHIFT)
@example(x=-(2**15), b1=-I31, c1=0, y=-(2**15), b2=-I31, c2=0)
def test_residual(x: int, b1: int, c1: int, y: int, b2: int, c2: int) -> None:
    want = saturated(rhe(x * b1, c1) + rhe(y * b2, c2), 16)
    first, second = np.array([x], np.int16), np.array([y], np.int16)
    assert arithmetic.residual(first, b1, c1, second, b2, c2).tolist() == [want]
    assert residual(first, b1, c1, second, b2, c2).tolist() == [want]


@settings(max_examples=300, deadline=None)
@given(
    columns=st.lists(st.tuples(INT8, INT8, INT32, MULTIPLIER, SHIFT), min_size=1, max_size=40),
    bits=st.sampled_from([8, 16]),
    byte_products=st.booleans(),
)
def test_linear(columns: list[tuple[int, ...]], bits: int, byte_products: bool) -> None:
    """A column each: two products, any bias, hence any accumulator, at any scale."""
    x = columns[0][0], columns[0][1]
    weight = np.array([[w, -w - 1] for w, *_ in columns], np.int8)
    bias, b, c = (np.array([column[i] for column in columns]) for i in (2, 3, 4))
    want = [
        saturated(rhe(wrapped(x[0] * w - x[1] * (w + 1) + int(a)) * int(m), int(s)), bits)
        for (w, *_), a, m, s in zip(columns, bias, b, c, strict=True)
    ]
    operands = np.array([x], np.int8), weight, bias.astype(np.int32), b, c
    assert linear(*operands, out_bits=bits, byte_products=byte_products).tolist() == [want]
    pairs = zip(columns, bias, strict=True)
    acc = np.array([[wrapped(x[0] * w - x[1] * (w + 1) + int(a)) for (w, *_), a in pairs]])
    assert arithmetic.requantize(acc, b, c, out_bits=bits).tolist() == [want]


def exponential(d: int, i0: int, n: int) -> int:
    p = max(d + (d >> 1) - (d >> 4), -n * i0)
    q = -p // i0
    twice = p + q * i0 + 2 * i0
    return twice << (n - 1 - q) if n - 1 >= q else twice >> (q + 1 - n)


def probabilities(row: list[int], i0: int, n: int, r: int, bits: int) -> list[int]:
    e = [exponential(x - max(row), i0, n) for x in row]
    f = (2**r - 1) // min(sum(e), I31)
    p = [min(min(v, I31) * f >> (r - 15), 32767) for v in e]
    return p if bits == 16 else [v >> 8 for v in p]


@settings(max_examples=400, deadline=None)
@given(
    row=st.lists(INT8, min_size=1, max_size=20),
    i0=near(383, 384, 65535, 65536, low=1, high=2**23),
    n=near(8, 15, low=1, high=31),
    r=near(30, 31, 32, low=15, high=46),
    bits=st.sampled_from([8, 16]),
)
@example(row=[127] * 20, i0=2**23, n=31, r=46, bits=16)
@example(row=[127, -128], i0=2**23, n=31, r=46, bits=16)
@example(row=[0], i0=1, n=31, r=46, bits=8)
def test_shiftmax(row: list[int], i0: int, n: int, r: int, bits: int) -> None:
    x = np.array([row], np.int8)
    want = [probabilities(row, i0, n, r, bits)]
    assert shiftmax_rows(x, i0, n=n, reciprocal_bits=r, out_bits=bits).tolist() == want
    assert arithmetic.shiftmax(x, i0, n=n, reciprocal_bits=r, out_bits=bits).tolist() == want


@settings(max_examples=200, deadline=None)
@given(
    tokens=st.integers(1, 4),
    data=st.data(),
    i0=near(383, 384, 65535, 65536, low=1, high=2**23),
    n=near(15, low=1, high=31),
    r=near(31, 32, low=15, high=46),
    score=st.tuples(MULTIPLIER, SHIFT),
    output=st.tuples(MULTIPLIER, SHIFT),
    bits=st.sampled_from([8, 16]),
)
def test_attention(
    tokens: int, data: Any, i0: int, n: int, r: int, score: Any, output: Any, bits: int
) -> None:
    qkv = data.draw(st.lists(st.tuples(INT8, INT8, INT8), min_size=tokens, max_size=tokens))
    products = [[saturated(rhe(q * k * score[0], score[1]), 8) for _, k, _ in qkv] for q, _, _ in qkv]
    weights = [probabilities(row, i0, n, r, bits) for row in products]
    sums = [sum(p * v for p, (_, _, v) in zip(row, qkv, strict=True)) for row in weights]
    mixed = [[saturated(rhe(acc * output[0], output[1]), 8)] for acc in sums]
    found = attention_steps(
        np.array(qkv, np.int8), 1, i0, score, output, n=n, reciprocal_bits=r, probability_bits=bits
    )
    assert [part.tolist() for part in found] == [[products], [weights], mixed]


@settings(max_examples=200, deadline=None)
@given(
    form=st.sampled_from(list(arithmetic.GELU_FORMS)),
    row=st.lists(INT8, min_size=1, max_size=12),
    i0=near(15, 255, 256, low=1, high=2**23),
    b=MULTIPLIER,
    c=SHIFT,
)
def test_gelu_tables(form: str, row: list[int], i0: int, b: int, c: int) -> None:
    """The table of the fast engine: the reference's ShiftGELU, requantized by Python's integers."""
    x = np.array([row], np.int8)
    node = Node("gelu", "gelu", (), {}, {"form": form, "i0": i0, "b": b, "c": c, "out_bits": 8})
    wide = arithmetic.shiftgelu(x, i0, form=form)[0].tolist()
    assert OPERATORS[node.op].prepare(node, {})([x]).tolist() == [
        [saturated(rhe(v * b, c), 8) for v in wide]
    ]
