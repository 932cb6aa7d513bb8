"""The row units and the elementwise unit on random data against the arithmetic they stand for."""

import struct

import numpy as np
import pytest

from intarsia.arch.isa import Argmax, Expand, Gelu, Layernorm, Lookup, Residual, Shiftmax, Space
from intarsia.model.integer import arithmetic
from intarsia.model.integer.constants import GELU_FORMS
from tests.emu.execute.bench import BANK, Bench, random


@pytest.mark.parametrize("rows, length", [(1, 1), (3, 5), (2, 130)])
@pytest.mark.parametrize("i0, n, reciprocal_bits", [(1, 15, 31), (12, 15, 31), (2**23, 31, 46)])
@pytest.mark.parametrize("out8", [False, True])
def test_shiftmax(rows: int, length: int, i0: int, n: int, reciprocal_bits: int, out8: bool) -> None:
    x, bits = random((rows, length), np.int8), 8 if out8 else 16
    bench = Bench()
    bench.matrix(BANK, 144, x)
    bench.scalars(1, "<IBB", i0, n, reciprocal_bits)
    target, stride = (BANK, 144) if out8 else (0, 272)
    op = Shiftmax(BANK, target, rows, length, 144, stride, 1, out8)
    got = bench.run(op, target, stride, rows, length, f"int{bits}")
    want = arithmetic.shiftmax(x, i0, n=n, reciprocal_bits=reciprocal_bits, out_bits=bits)
    assert (got == want).all()


@pytest.mark.parametrize("rows, length, slot", [(1, 1, 0), (4, 7, 1), (3, 64, 1)])
@pytest.mark.parametrize("out16", [False, True])
@pytest.mark.parametrize("big", [0, 2**62])
def test_layernorm(rows: int, length: int, slot: int, out16: bool, big: int) -> None:
    x, b = random((rows, length), np.int16), random(length, np.int16, 1).astype(np.int32)
    B, c, bits = random(length, np.int32, 2).astype(np.int64) << 8, 38, 16 if out16 else 8
    B[0] = big or B[0]
    bench = Bench()
    bench.matrix(0, 160, x)
    channels = b"".join(struct.pack("<iq", *pair) for pair in zip(b.tolist(), B.tolist(), strict=True))
    bench.put(Space.CONSTANTS, slot * 1024 * 12, channels)
    bench.scalars(9, "<xxxxB", c)
    target, stride = (0, 160) if out16 else (16, 128)
    target += 0 if out16 else BANK
    op = Layernorm(0, slot, target, rows, length, 160, stride, 9, out16)
    got = bench.run(op, target, stride, rows, length, f"int{bits}")
    assert (got == arithmetic.layernorm(x, b, B, c, out_bits=bits)).all()


@pytest.mark.parametrize("form", range(3))
def test_gelu(form: int) -> None:
    name, b, c, i0 = tuple(GELU_FORMS)[form], 20011, 21, 20
    x = random((6, 50), np.int8) // np.array([1, 2, 4, 8, 16, 32])[:, None].astype(np.int8)
    bench = Bench()
    bench.matrix(32, 64, x)
    bench.scalars(0, "<iBBxxI", b, c, form, i0)
    got = bench.run(Gelu(32, 32, 6, 50, 64, 64, 0), 32, 64, 6, 50, np.int8)
    want = arithmetic.requantize(arithmetic.shiftgelu(x, i0, form=name), b, c, out_bits=8)
    assert (got == want).all()


def test_residual() -> None:
    x, identity = random((5, 21), np.int16), random((5, 21), np.int16, 1)
    bench = Bench()
    bench.matrix(0, 48, x)
    bench.matrix(BANK, 64, identity)
    bench.scalars(4, "<iBxxxiB", 16384, 14, -30000, 16)
    got = bench.run(Residual(0, BANK, 0, 5, 21, 48, 64, 48, 4), 0, 48, 5, 21, np.int16)
    assert (got == arithmetic.residual(x, 16384, 14, identity, -30000, 16)).all()


def test_lookup() -> None:
    x, table = random((3, 14), np.uint8), random((3, 256), np.int8, 1)
    bench = Bench()
    bench.matrix(0, 16, x)
    bench.put(Space.TABLE, 0, table.tobytes())
    got = bench.run(Lookup(0, BANK, 3, 14, 16, 32), BANK, 32, 3, 14, np.int8)
    want = [[table[i % 3, value] for i, value in enumerate(row)] for row in x]
    assert got.tolist() == np.array(want).tolist()


@pytest.mark.parametrize("wide, columns", [(False, 150), (True, 300)])
def test_argmax(wide: bool, columns: int) -> None:
    x = random((9, columns), np.int16) // 8192  # many ties
    bench = Bench()
    bench.matrix(0, 608, x)
    op = Argmax(0, 2 * BANK, 9, columns, 608, wide)
    got = bench.run(op, 2 * BANK, 0, 1, 9, np.uint16 if wide else np.uint8)
    assert got[0].tolist() == np.argmax(x, axis=1).tolist()


@pytest.mark.parametrize("wide", [False, True])
def test_expand(wide: bool) -> None:
    x = random((3, 7), np.uint16 if wide else np.uint8)
    bench = Bench()
    bench.matrix(0, 16, x)
    got = bench.run(Expand(0, BANK, 3, 7, 16, 96, 5, wide), BANK, 96, 3, 35, x.dtype)
    assert (got == np.repeat(x, 5, axis=1)).all()
