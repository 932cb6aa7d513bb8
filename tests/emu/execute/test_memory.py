"""LOAD and STORE, the state before a program, and the errors that stop the machine."""

from dataclasses import replace

import numpy as np
import pytest

from emu.execute import POISON, execute
from emu.isa import (
    UNIT,
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
)
from tests.emu.execute.bench import BANK, program, random, segment, stops


def test_load_and_store_copy_in_three_dimensions() -> None:
    dram = np.zeros(1024, np.uint8)
    dram[:512] = random(512, np.uint8)
    load = Load(3, Space.SCRATCHPAD, 5, 4, 3, 2, dram_stride1=7, dram_stride2=100, stride1=9, stride2=33)
    store = Store(512, 5, 4, 2, 3, dram_stride1=20, dram_stride2=50, stride1=33, stride2=9)
    out = execute(program(segment(load), segment(store), dram_bytes=1024), dram)
    want = dram.copy()
    for i in range(3):
        for j in range(2):
            to, at = 512 + 20 * j + 50 * i, 3 + 7 * i + 100 * j
            want[to : to + 4] = dram[at : at + 4]
    assert (out == want).all()


def test_memory_is_poisoned_and_the_argument_kept() -> None:
    dram = np.zeros(256, np.uint8)
    out = execute(program(segment(Store(0, 0, 256))), dram)
    assert (out == POISON).all() and not dram.any()


GOOD = Matmul(0, 0, BANK, 4, 4, 8, 16, 0, 16)
KEYS = replace(GOOD, layout=Layout.LANE_MAJOR, y=2 * BANK, y_stride=16)
SHIFT = Shiftmax(0, BANK, 2, 4, 16, 16, 0)
NORM = Layernorm(0, 0, BANK, 2, 4, 16, 16, 0)


@pytest.mark.parametrize(
    "op, code, sentence",
    [
        (replace(GOOD, m=65), 2, "m is 65, 1..64 is wanted"),
        (replace(GOOD, k=0), 2, "k is 0, 1..65535 is wanted"),
        (replace(GOOD, x=8), 2, "x is at 0x8, a multiple of 16 is wanted"),
        (replace(GOOD, out_stride=8), 2, "stride is 8, a multiple of 16 in 0..1048560 is wanted"),
        (
            replace(GOOD, x=8 * BANK),
            3,
            "bytes 0x8000 to 0x8034 are not all inside the scratchpad of 0x8000",
        ),
        (replace(GOOD, y=16 * 1024 - 112), 3, "0x4010 are not all inside the stationary buffer of 0x4000"),
        (GOOD, 2, "shift c is 165, 0..63 is wanted"),
        (KEYS, 2, "shift c is 165, 0..63 is wanted"),
        (replace(KEYS, param=256), 2, "param is 256, 0..255 is wanted"),
        (replace(KEYS, y=0x100), 5, "x and y are both in bank 0, different ones are wanted"),
        (replace(KEYS, x=BANK - 16, y=BANK), 5, "x and y are both in bank 1"),
        (SHIFT, 2, "i0 is 2779096485, 1..8388608 is wanted"),
        (replace(SHIFT, target=0), 2, "target is 0x0 like the source, another place is wanted for 16 bits"),
        (replace(NORM, slot=2), 2, "slot is 2, 0..1 is wanted"),
        (replace(NORM, length=1025), 2, "length is 1025, 1..1024 is wanted"),
        (NORM, 2, "shift c is 165"),
        (Gelu(0, 0, 1, 1, 16, 16, 0), 2, "shift c is 165"),
        (Residual(0, 64, 0, 1, 1, 16, 16, 16, 0), 5, "x and identity are both in bank 0"),
        (Residual(0, BANK, 0, 1, 1, 16, 16, 16, 0), 2, "shift c1 is 165"),
        (Lookup(0, 0, 0, 1, 16, 16), 2, "rows is 0, 1..65535 is wanted"),
        (Argmax(0, BANK, 1, 257, 16), 2, "length is 257, 1..256 is wanted"),
        (Expand(0, 0, 1, 1, 16, 16, 0), 2, "factor is 0, 1..65535 is wanted"),
        (
            Load(250, Space.SCRATCHPAD, 0, 7),
            3,
            "bytes 0xfa to 0x101 are not all inside the DRAM of 0x100 bytes",
        ),
        (Load(0, Space.PARAMETERS, 4095, 2), 3, "inside the parameters of 0x1000 bytes"),
        (Load(0, Space.DRAM, 0, 2), 2, "the other memory is DRAM, one on the chip is wanted"),
        (Store(0, 0, 1, 0), 2, "count1 is 0, 1..65535 is wanted"),
        (Store(0, 0, 1, 2, stride1=65536), 2, "stride1 is 65536, 0..65535 is wanted"),
    ],
)
def test_errors(op: Instruction, code: int, sentence: str) -> None:
    error = stops(op, code=code, name="here")
    assert sentence in str(error)
    assert "(segment here, iteration 0)" in str(error)
    assert (error.unit, error.index) == (UNIT[type(op)], 0)


def test_banks_of_rows_far_apart() -> None:
    """Rows of x in banks 0 and 2, of y in banks 1 and 3."""
    apart = replace(KEYS, m=2, n=2, x_stride=2 * BANK, y=BANK, y_stride=2 * BANK, out=5 * BANK)
    stops(apart, code=2)  # its shift was never written
    stops(replace(apart, y=2 * BANK), code=5)
