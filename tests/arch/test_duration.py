"""Section 6 of docs/machine.md, with numbers worked by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intarsia.arch.duration import ACCESS, ISSUE, cycles
from intarsia.arch.isa import (
    Argmax,
    Expand,
    Gelu,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Unit,
    Wait,
)
from intarsia.arch.isa.argmax import ARGMAX_PIPELINE
from intarsia.arch.isa.expand import EXPAND_PIPELINE
from intarsia.arch.isa.gelu import GELU_PIPELINE
from intarsia.arch.isa.layernorm import LAYERNORM_PIPELINE
from intarsia.arch.isa.lookup import LOOKUP_PIPELINE
from intarsia.arch.isa.matmul import ARRAY_PIPELINE, REQUANTIZE_PIPELINE
from intarsia.arch.isa.residual import RESIDUAL_PIPELINE
from intarsia.arch.isa.shiftmax import SHIFTMAX_PIPELINE
from intarsia.arch.machine import Machine
from tests.arch.machines import MACHINE

FIXED = ISSUE + ACCESS
ARRAY = FIXED + ARRAY_PIPELINE + REQUANTIZE_PIPELINE


def matmul(m: int, k: int, n: int, **changes: Any) -> Matmul:
    return Matmul(0, 0, 0, m, k, n, 0, 0, 0, **changes)


@pytest.mark.parametrize(
    ("instruction", "wanted"),
    [
        (Wait(Unit.LOAD, 1), 1),
        (Load(0, Space.SCRATCHPAD, 0, 16), ISSUE + 100 + 1),
        (Load(0, Space.SCRATCHPAD, 0, 17, 3, 5), ISSUE + 100 + 15 * 2),
        (Store(0, 0, 160, 2), ISSUE + 100 + 2 * 10),
        (matmul(100, 32, 32), ARRAY + 32 + 100 + 100),
        (matmul(8, 32, 32), ARRAY + 32 + 32 + 8),
        (matmul(100, 33, 65), ARRAY + 32 + 3 * 2 * 100 + 100),
        (matmul(100, 64, 32, x16=True), ARRAY + 32 + 2 * 2 * 100 + 100),
        (Shiftmax(0, 0, 10, 1025, 0, 0, 0), FIXED + SHIFTMAX_PIPELINE + 9 * 65 + 3 * 65 + 16),
        (Shiftmax(0, 0, 10, 20, 0, 0, 0), FIXED + SHIFTMAX_PIPELINE + 9 * 16 + 3 * 2 + 16),
        (Layernorm(0, 0, 0, 10, 768, 0, 0, 0), FIXED + LAYERNORM_PIPELINE + 9 * 48 + 2 * 48),
        (Layernorm(0, 0, 0, 10, 192, 0, 0, 0), FIXED + LAYERNORM_PIPELINE + 9 * 22 + 2 * 12),
        (Gelu(0, 0, 10, 100, 0, 0, 0), FIXED + GELU_PIPELINE + 11 * 7 + 16),
        (Residual(0, 0, 0, 10, 100, 0, 0, 0, 0), FIXED + RESIDUAL_PIPELINE + 10 * 4),
        (Lookup(0, 0, 10, 100, 0, 0), FIXED + LOOKUP_PIPELINE + 10 * 4),
        (Argmax(0, 0, 10, 150, 0), FIXED + ARGMAX_PIPELINE + 10 * 5),
        (Expand(0, 0, 10, 32, 0, 0, 16), FIXED + EXPAND_PIPELINE + 10 * 16),
    ],
)
def test_closed_forms(instruction: Any, wanted: int) -> None:
    assert cycles(instruction, MACHINE) == wanted


def test_a_depth_major_tile_loads_in_depth_cycles() -> None:
    wide = Machine(**{**MACHINE.__dict__, "depth": 64})
    assert cycles(matmul(8, 64, 32, layout=Layout.DEPTH_MAJOR), wide) == ARRAY + 64 + 64 + 8
    assert cycles(matmul(8, 64, 32, layout=Layout.LANE_MAJOR), wide) == ARRAY + 32 + 32 + 8


def test_tiles_count_both_passes() -> None:
    assert matmul(1, 65, 33).tiles(MACHINE) == 3 * 2
    assert matmul(1, 65, 33, x16=True).tiles(MACHINE) == 3 * 2 * 2


@given(
    st.integers(0, 5000),
    st.integers(1, 300),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 300),
    st.integers(0, 300),
    st.sampled_from([1, 4, 16, 64]),
)
def test_words_of_the_bus_are_counted_one_by_one(
    dram: int, size: int, count1: int, count2: int, stride1: int, stride2: int, width: int
) -> None:
    machine = Machine(**{**MACHINE.__dict__, "memory_width": width})
    width = min(width, machine.word // 2)
    words = 0
    for i2 in range(count2):
        for i1 in range(count1):
            first = dram + i1 * stride1 + i2 * stride2
            words += (first + size - 1) // width - first // width + 1
    load = Load(dram, Space.SCRATCHPAD, 0, size, count1, count2, stride1, stride2)
    assert load.bus_words(machine) == words
