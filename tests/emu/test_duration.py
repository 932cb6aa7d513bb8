"""Section 6 of docs/machine.md, with numbers worked by hand."""

from typing import Any

import pytest

from emu.duration import cycles, tiles
from emu.isa import (
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
from emu.machine import Machine
from tests.emu.machines import MACHINE


def matmul(m: int, k: int, n: int, **changes: Any) -> Matmul:
    return Matmul(0, 0, 0, m, k, n, 0, 0, 0, **changes)


@pytest.mark.parametrize(
    ("instruction", "wanted"),
    [
        (Wait(Unit.LOAD, 1), 1),
        (Load(0, Space.SCRATCHPAD, 0, 16), 4 + 100 + 1),
        (Load(0, Space.SCRATCHPAD, 0, 17, 3, 5), 4 + 100 + 15 * 2),
        (Store(0, 0, 160, 2), 4 + 100 + 2 * 10),
        (matmul(100, 32, 32), 4 + 32 + 100 + 100 + 16),
        (matmul(8, 32, 32), 4 + 32 + 32 + 8 + 16),
        (matmul(100, 33, 65), 4 + 32 + 3 * 2 * 100 + 100 + 16),
        (matmul(100, 64, 32, x16=True), 4 + 32 + 2 * 2 * 100 + 100 + 16),
        (Shiftmax(0, 0, 10, 1025, 0, 0, 0), 4 + 12 * 65 + 12),
        (Shiftmax(0, 0, 10, 20, 0, 0, 0), 4 + 12 * 16 + 12),
        (Layernorm(0, 0, 0, 10, 768, 0, 0, 0), 4 + 13 * 48 + 12),
        (Layernorm(0, 0, 0, 10, 192, 0, 0, 0), 4 + 13 * 22 + 12),
        (Gelu(0, 0, 10, 100, 0, 0, 0), 4 + 11 * 7 + 16 + 12),
        (Residual(0, 0, 0, 10, 100, 0, 0, 0, 0), 4 + 10 * 4 + 8),
        (Lookup(0, 0, 10, 100, 0, 0), 4 + 10 * 4 + 8),
        (Argmax(0, 0, 10, 150, 0), 4 + 10 * 5 + 8),
        (Expand(0, 0, 10, 32, 0, 0, 16), 4 + 10 * 16 + 8),
    ],
)
def test_closed_forms(instruction: Any, wanted: int) -> None:
    assert cycles(instruction, MACHINE) == wanted


def test_a_depth_major_tile_loads_in_depth_cycles() -> None:
    wide = Machine(**{**MACHINE.__dict__, "depth": 64})
    assert cycles(matmul(8, 64, 32, layout=Layout.DEPTH_MAJOR), wide) == 4 + 64 + 64 + 8 + 16
    assert cycles(matmul(8, 64, 32, layout=Layout.LANE_MAJOR), wide) == 4 + 32 + 32 + 8 + 16


def test_tiles_count_both_passes() -> None:
    assert tiles(matmul(1, 65, 33), MACHINE) == 3 * 2
    assert tiles(matmul(1, 65, 33, x16=True), MACHINE) == 3 * 2 * 2
