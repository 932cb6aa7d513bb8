"""The page of operators is made from the registry."""

from tools.operators import PAGE, renewed


def test_the_table_is_the_one_that_would_be_made() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "run: python -m tools.operators"
