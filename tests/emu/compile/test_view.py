"""Parts of matrices: where they begin and how large they are."""

from __future__ import annotations

import pytest

from intarsia.emu.compile.view import View

WHOLE = View(1000, 64, 10, 20, "int16")


@pytest.mark.parametrize(
    "part, wanted",
    [
        (WHOLE[2:5], View(1128, 64, 3, 20, "int16")),
        (WHOLE[:, 4:9], View(1008, 64, 10, 5, "int16")),
        (WHOLE[9:, 19:], View(1000 + 9 * 64 + 38, 64, 1, 1, "int16")),
        (WHOLE[3:7, :8][1:2, 2:], View(1000 + 4 * 64 + 4, 64, 1, 6, "int16")),
        (WHOLE[4:4], View(1256, 64, 0, 20, "int16")),
    ],
)
def test_parts(part, wanted):
    assert part == wanted


def test_widths():
    assert (WHOLE.item, WHOLE.wide, WHOLE.width) == (2, True, 40)
    assert (View(0, 16, 1, 5, "int8").wide, View(0, 16, 1, 5, "int8").width) == (False, 5)
