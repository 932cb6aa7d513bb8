"""docs/machine.md: sections 4 to 6 say what the instructions declare."""

from __future__ import annotations

from intarsia.arch.isa import INSTRUCTIONS
from tools.machine_page import PAGE, TABLES, cycles, renewed


def test_the_page_is_that_of_today() -> None:
    """`python -m tools.machine_page` makes it."""
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page


def test_every_instruction_is_in_it() -> None:
    rows = dict(list(cycles())[1:])
    assert list(rows) == [kind.mnemonic().upper() for kind in INSTRUCTIONS]
    assert rows["SHIFTMAX"] == (
        "FIXED + (rows - 1) * max(beats, DIVIDE) + 3 * beats + DIVIDE + SHIFTMAX_PIPELINE"
    )


def test_what_stands_between_the_markers_is_replaced() -> None:
    page = "".join(f"before\n<!-- {name}: begin -->\nSTALE\n<!-- {name}: end -->\n" for name in TABLES)
    assert renewed(page).count("STALE") == 0
    assert renewed(renewed(page)) == renewed(page)
    assert renewed(page).count("before") == len(TABLES)
