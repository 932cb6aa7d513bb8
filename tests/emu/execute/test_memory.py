"""LOAD and STORE, the state before a program, and the errors that stop the machine."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.isa import (
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
from intarsia.arch.timing import ProgramError
from intarsia.emu.execute import execute, unwritten
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


def test_memory_begins_as_noise_and_the_argument_is_kept() -> None:
    dram = np.zeros(256, np.uint8)
    out = execute(program(segment(Store(0, 0, 256))), dram)
    assert (out == unwritten(256)).all() and len(set(out.tolist())) > 100 and not dram.any()


def test_what_was_never_written_differs_from_bank_to_bank() -> None:
    noise = unwritten(1 << 20)
    pieces = {piece.tobytes() for piece in noise.reshape(-1, 1024)}
    assert len(pieces) == 1024
    assert (unwritten(1 << 20) == noise).all() and (unwritten(1 << 20, 1) != noise).any()


FILL = (Load(0, Space.PARAMETERS, 0, 16), Load(0, Space.STATIONARY, 0, 96))
"""A parameter word and constants of 0xa5."""

GOOD = Matmul(0, 0, BANK, 4, 4, 8, 16, 0, 16)
KEYS = replace(GOOD, layout=Layout.LANE_MAJOR, y=2 * BANK, y_stride=16)
SHIFT = Shiftmax(0, BANK, 2, 4, 16, 16, 0)
NORM = Layernorm(0, 0, BANK, 2, 4, 16, 16, 0)


@pytest.mark.parametrize(
    "op, code, sentence",
    [
        (replace(GOOD, m=65), 2, "m must be in 1..64, not 65"),
        (replace(GOOD, k=0), 2, "k must be an integer in 1..65535, not 0"),
        (replace(GOOD, x=8), 2, "x must be a multiple of 16, not 0x8"),
        (replace(GOOD, out_stride=8), 2, "stride must be a multiple of 16 in 0..1048560, not 8"),
        (
            replace(GOOD, x=8 * BANK),
            3,
            "bytes 0x8000 to 0x8034 are not all inside the scratchpad of 0x8000",
        ),
        (replace(GOOD, y=16 * 1024 - 112), 3, "0x4010 are not all inside the stationary buffer of 0x4000"),
        (GOOD, 2, "shift c must be in 0..63, not 165"),
        (KEYS, 2, "shift c must be in 0..63, not 165"),
        (replace(KEYS, y=2 * BANK + 8), 2, "y must be a multiple of 16, not 0x2008"),
        (replace(KEYS, param=256), 2, "param must be an integer in 0..255, not 256"),
        (replace(KEYS, y=0x100), 5, "x and y must be in different banks, not both in 0"),
        (replace(KEYS, x=BANK - 16, y=BANK), 5, "x and y must be in different banks, not both in 1"),
        (SHIFT, 2, "i0 must be in 1..8388608, not 2779096485"),
        (
            replace(SHIFT, target=0),
            2,
            "target must be another address than the source's for 16 bits",
        ),
        (replace(NORM, slot=2), 2, "slot must be an integer in 0..1, not 2"),
        (replace(NORM, length=1025), 2, "length must be in 1..1024, not 1025"),
        (NORM, 2, "shift c must be in 0..63, not 165"),
        (Gelu(0, 0, 1, 1, 16, 16, 0), 2, "shift c must be in 0..63, not 165"),
        (
            Residual(0, 64, 0, 1, 1, 16, 16, 16, 0),
            5,
            "x and identity must be in different banks",
        ),
        (Residual(0, BANK, 0, 1, 1, 16, 16, 16, 0), 2, "shift c1 must be in 0..63, not 165"),
        (Lookup(0, 0, 0, 1, 16, 16), 2, "rows must be an integer in 1..65535, not 0"),
        (Argmax(0, BANK, 1, 257, 16), 2, "length must be in 1..256, not 257"),
        (Expand(0, 0, 1, 1, 16, 16, 0), 2, "factor must be an integer in 1..65535, not 0"),
        (Expand(0, 0, 1, 1, 16, 16, 1, True), 2, "factor must be in 2..65535, not 1"),
        (
            Load(250, Space.SCRATCHPAD, 0, 7),
            4,
            "bytes 0xfa to 0x101 are not all inside the DRAM of 0x100 bytes",
        ),
        (Load(2**32 - 7, Space.SCRATCHPAD, 0, 7), 4, "bytes 0xfffffff9 to 0x100000000 are not all"),
        (Load(2**32 - 7, Space.SCRATCHPAD, 0, 8), 3, "bytes 0xfffffff9 to 0x100000001 are not all"),
        (Load(0, Space.PARAMETERS, 4095, 2), 3, "inside the parameters of 0x1000 bytes"),
        (Load(0, Space.DRAM, 0, 2), 2, "space must be an integer in 1..5, not 0"),
        (Store(0, 0, 1, 0), 2, "count1 must be an integer in 1..65535, not 0"),
        (Store(0, 0, 1, 2, stride1=65536), 2, "stride1 must be an integer in 0..65535, not 65536"),
    ],
)
def test_errors(op: Instruction, code: int, sentence: str) -> None:
    fill = () if isinstance(op, Load) else FILL
    error = stops(*fill, op, code=code, name="here")
    assert sentence in str(error)
    assert "(segment here, iteration 0)" in str(error)
    assert (error.unit, error.index) == (UNIT[type(op)], 0)


@pytest.mark.parametrize(
    "op, sentence",
    [
        (replace(GOOD, out=32), "its target at 0x20 and its source at 0x0 must share no byte, not 0x20"),
        (replace(GOOD, out=0), "must share no byte, not 0x0"),
        (replace(KEYS, out=2 * BANK + 16), "source at 0x2000 must share no byte, not 0x2010"),
        (replace(GOOD, out_stride=0), "byte 0x1000 of its target must be written once, not twice"),
        (replace(SHIFT, target=16), "must share no byte, not 0x10"),
        (replace(SHIFT, target=16, out8=True), "must be the same matrix or share no byte, not 0x10"),
        (
            replace(SHIFT, target=0, target_stride=32, out8=True),
            "must be the same matrix or share no byte, not 0x0",
        ),
        (replace(NORM, target=0), "must share no byte, not 0x0"),
        (Gelu(0, 16, 2, 4, 16, 16, 0), "must be the same matrix or share no byte, not 0x10"),
        (Residual(0, BANK, 16, 2, 4, 16, 16, 16, 0), "must be the same matrix or share no byte, not 0x10"),
        (Residual(0, BANK, BANK + 16, 2, 4, 16, 16, 16, 0), "source at 0x1000 must be the same"),
        (Lookup(0, 16, 2, 4, 16, 16), "must be the same matrix or share no byte, not 0x10"),
        (Argmax(0, 17, 2, 4, 16), "must share no byte, not 0x11"),
        (Expand(3, 0, 1, 4, 16, 16, 1), "must share no byte, not 0x3"),
        (Load(0, Space.SCRATCHPAD, 0, 8, 2, 1, 8, 0, 7), "byte 0x7 of its target must be written once"),
        (Store(0, 0, 8, 2, 2, 16, 8, 16, 8), None),
        (Store(0, 0, 8, 2, 2, 16, 9, 16, 8), "byte 0x10 of its target must be written once, not twice"),
    ],
)
def test_overlaps(op: Instruction, sentence: str | None) -> None:
    """What no machine sees: the emulator refuses it, as the checker does."""
    with pytest.raises(ProgramError, match=sentence) if sentence else nullcontext():
        execute(program(segment(op)), np.zeros(256, np.uint8))


def test_rows_between_rows_do_not_overlap() -> None:
    """The second halves of rows of which the first halves are read."""
    execute(program(segment(Lookup(0, 16, 3, 16, 32, 32))), np.zeros(256, np.uint8))


def test_banks_of_rows_far_apart() -> None:
    """Rows of x in banks 0 and 2, of y in banks 1 and 3."""
    apart = replace(KEYS, m=2, n=2, x_stride=2 * BANK, y=BANK, y_stride=2 * BANK, out=5 * BANK)
    stops(*FILL, apart, code=2)  # its shift is 165
    stops(replace(apart, y=2 * BANK), code=5)
