"""MATMUL on random data against the exact product."""

import struct
from typing import Any

import numpy as np
import pytest

from intarsia.arch.isa import Layout, Matmul, Space
from intarsia.model.integer import arithmetic
from tests.emu.execute.bench import BANK, MACHINE, Bench, random


def pack(weight: Any, bias: Any, b: Any, c: Any) -> bytes:
    """Tiles as the specification says, one value after another."""
    (n, k), lanes, depth = weight.shape, MACHINE.lanes, MACHINE.depth
    out = b""
    for first in range(0, n, lanes):
        for i in range(first, first + lanes):
            out += struct.pack("<iiBxxx", bias[i], b[i], c[i]) if i < n else bytes(12)
        for column in range(0, k, depth):
            tile = np.zeros((lanes, depth), np.int8)
            part = weight[first : first + lanes, column : column + depth]
            tile[: part.shape[0], : part.shape[1]] = part
            out += tile.tobytes()
    return out


@pytest.mark.parametrize("m, k, n", [(1, 1, 1), (3, 4, 8), (5, 7, 13), (64, 33, 17)])
@pytest.mark.parametrize("x16, out16", [(False, False), (False, True), (True, False), (True, True)])
def test_matmul_packed(m: int, k: int, n: int, x16: bool, out16: bool) -> None:
    x = random((m, k), np.int16 if x16 else np.int8)
    weight, bias = random((n, k), np.int8, 1), random(n, np.int16, 2).astype(np.int32)
    b, c = random(n, np.int16, 3).astype(np.int32), np.arange(n) % 8 + (26 if x16 else 20)
    bench = Bench()
    bench.matrix(0, 80, x)
    bench.put(Space.STATIONARY, 32, pack(weight, bias, b, c))
    bits = 16 if out16 else 8
    op = Matmul(0, 32, 2 * BANK, m, k, n, 80, 0, 48, Layout.PACKED, x16, out16)
    got = bench.run(op, 2 * BANK, 48, m, n, f"int{bits}")
    want = arithmetic.requantize(x.astype(int) @ weight.T.astype(int) + bias, b, c, out_bits=bits)
    assert (got == want).all()


@pytest.mark.parametrize("layout", [Layout.LANE_MAJOR, Layout.DEPTH_MAJOR])
@pytest.mark.parametrize("m, k, n", [(1, 1, 1), (4, 16, 8), (7, 33, 21), (40, 5, 65)])
@pytest.mark.parametrize("x16", [False, True])
def test_matmul_on_activations(layout: Layout, m: int, k: int, n: int, x16: bool) -> None:
    x, y = random((m, k), np.int16 if x16 else np.int8), random((n, k), np.int8, 1)
    b, c = 24001, 29 if x16 else 22
    bench = Bench()
    bench.matrix(16, 80, x)
    bench.matrix(BANK, 96, y if layout is Layout.LANE_MAJOR else y.T)
    bench.scalars(255, "<iB", b, c)
    op = Matmul(16, BANK, 4 * BANK, m, k, n, 80, 96, 80, layout, x16, False, 255)
    got = bench.run(op, 4 * BANK, 80, m, n, np.int8)
    assert (got == arithmetic.requantize(x.astype(int) @ y.T.astype(int), b, c, out_bits=8)).all()


def test_two_passes_of_probabilities_are_the_exact_product() -> None:
    p, v = np.abs(random((20, 60), np.int16)), random((60, 11), np.int8, 1)
    p[0], v[:, 0] = 32767, -128
    bench = Bench()
    bench.matrix(0, 128, p)
    bench.matrix(BANK, 16, v)
    bench.scalars(3, "<iB", 1, 9)
    op = Matmul(0, BANK, 4 * BANK, 20, 60, 11, 128, 16, 32, Layout.DEPTH_MAJOR, True, True, 3)
    got = bench.run(op, 4 * BANK, 32, 20, 11, np.int16)
    low, high = p.astype(int) & 255, p.astype(int) >> 8
    want = arithmetic.requantize(low @ v.astype(int) + 256 * (high @ v.astype(int)), 1, 9, out_bits=16)
    assert (got == want).all()


def test_the_accumulator_wraps_and_the_least_multiplier_works() -> None:
    bench = Bench()
    bench.matrix(0, 16, np.array([[1, 1], [0, 0]], np.int8))
    weight = np.array([[1, 0], [127, 127]], np.int8)
    bench.put(Space.STATIONARY, 0, pack(weight, [2**31 - 1, 4], [1, -(2**31)], [31, 31]))
    got = bench.run(Matmul(0, 0, BANK, 2, 2, 2, 16, 0, 16), BANK, 16, 2, 2, np.int8)
    assert got.tolist() == [[-1, -128], [1, -4]]
