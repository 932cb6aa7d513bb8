"""Generated tables in the pages of docs/, each between two markers of its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from intarsia.model.files import replacing


def with_table(page: str, name: str, table: str) -> str:
    """The page with this text between the markers of `name`; AssertionError if it has none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, found, rest = page.partition(begin)
    assert found, f"the page must have {begin}"
    return f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def renew(path: Path, renewed: Callable[[str], str]) -> None:
    """Puts what `renewed` makes of a page in its place."""
    text = renewed(path.read_text(encoding="utf-8"))
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")
