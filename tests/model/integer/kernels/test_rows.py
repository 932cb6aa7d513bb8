"""Row and element kernels against the reference."""

import numpy as np
import pytest

from intarsia.model.integer import arithmetic
from intarsia.model.integer.kernels import (
    argmax_rows,
    enlarge,
    layernorm,
    lookup,
    lookup_rows,
    patchify,
    residual,
)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (17, 150), (1025, 192), (3, 1024)])
@pytest.mark.parametrize("c", [0, 1, 20, 38, 63])
@pytest.mark.parametrize("out_bits", [8, 16])
def test_layernorm(shape: tuple[int, int], c: int, out_bits: int) -> None:
    rng = np.random.default_rng(c)
    x = rng.integers(-32768, 32768, shape).astype(np.int16)
    x[0] = 32767 * (1 - 2 * (np.arange(shape[1]) % 2))
    x[-1] = rng.integers(-128, 128)  # no variance
    for bits in 16, 32:
        b = rng.integers(1 - 2 ** (bits - 1), 2 ** (bits - 1), shape[1])
        B = rng.integers(-(2**40), 2**40, shape[1])
        want = arithmetic.layernorm(x, b, B, c, out_bits=out_bits)
        got = layernorm(x, b, B, c, out_bits=out_bits)
        assert got.dtype == want.dtype and (got == want).all()


@pytest.mark.parametrize("bits", [16, 32])
def test_residual(bits: int) -> None:
    rng = np.random.default_rng(bits)
    x, y = rng.integers(-32768, 32768, (2, 1025, 30)).astype(np.int16)
    x[0], y[0] = -32768, np.resize([-32768, 32767], 30)
    for c1, c2 in [(0, 0), (1, 63), (14, 15), (15, 1), (32, 31), (46, 47)]:
        b1, b2 = (int(b) for b in rng.integers(1 - 2 ** (bits - 1), 2 ** (bits - 1), 2))
        for first, second in [(b1, b2), (b1 & -256, 1 << (bits - 2))]:
            want = arithmetic.residual(x, first, c1, y, second, c2)
            assert (residual(x, first, c1, y, second, c2) == want).all()


def test_multipliers_have_32_bits() -> None:
    x = np.zeros((2, 2), np.int16)
    with pytest.raises(ValueError, match="at most 32 bits"):
        residual(x, 2**31, 0, x, 1, 0)
    with pytest.raises(ValueError, match="at most 32 bits"):
        layernorm(x, 2**31, 0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (1025, 20)])
def test_lookups(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 100, shape).astype(np.int8)
    x[0, 0] = 127
    table = rng.integers(-128, 128, (256, 256)).astype(np.int8)
    row = x.max(axis=1, keepdims=True).astype(int) + 128
    assert (lookup_rows(x, table) == table[row, x.astype(int) + 128]).all()
    assert (lookup(x, table[5]) == table[5, x.astype(int) + 128]).all()


def test_gelu_is_a_lookup() -> None:
    """The element-wise form as one table, the row forms as a table per row maximum."""
    every = np.arange(-128, 128)
    gelu = arithmetic.shiftgelu(every, 12, form="lambda-shift-elem")
    table = arithmetic.requantize(gelu, 20000, 21, out_bits=8)
    x = np.random.default_rng(0).integers(-128, 128, (9, 40)).astype(np.int8)
    want = arithmetic.shiftgelu(x, 12, form="lambda-shift-elem")
    assert (lookup(x, table) == arithmetic.requantize(want, 20000, 21, out_bits=8)).all()


def test_patchify() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 48, 3)).astype(np.uint8)
    table = rng.integers(-128, 128, (3, 256)).astype(np.int8)
    patches = patchify(image, table, 16)
    assert patches.shape == (6, 768) and patches.dtype == np.int8 and patches.flags.c_contiguous
    for patch in range(6):
        top, left = patch // 3 * 16, patch % 3 * 16
        part = image[top : top + 16, left : left + 16]
        want = [[[table[c, pixel[c]] for c in range(3)] for pixel in line] for line in part]
        assert (patches[patch] == np.array(want).reshape(-1)).all()


def test_argmax_takes_the_first_of_equals() -> None:
    assert argmax_rows(np.array([[1, 3, 3], [2, 2, 2], [0, 1, 5]], np.int16)).tolist() == [1, 0, 2]


@pytest.mark.parametrize("height, width", [(4, 6), (5, 7), (2, 3), (32, 32)])
def test_enlarge(height: int, width: int) -> None:
    labels = np.arange(6).reshape(2, 3)
    want = [[labels[y * 2 // height, x * 3 // width] for x in range(width)] for y in range(height)]
    assert (enlarge(labels, height, width) == want).all()
