"""Foreign values in messages."""

from __future__ import annotations

import pytest

from intarsia.model.messages import MAX_SHORTENED, shortened


@pytest.mark.parametrize(
    ("value", "bits"), [(10**4000, 13288), (1 << 40_000, 40001)], ids=["decimal", "hex"]
)
def test_integers_of_more_digits_than_python_writes(value: int, bits: int) -> None:
    assert shortened(value) == f"an integer of {bits} bits"
    assert shortened([value]) == f"[an integer of {bits} bits]"


def test_other_integers_are_written() -> None:
    assert shortened(7) == "7"
    assert len(shortened(10**2000)) == 60


def test_what_holds_many_values_is_cut() -> None:
    found = shortened([["x" * 50] * 6] * 6)
    assert len(found) <= MAX_SHORTENED
    assert found.startswith("[['xxx") and found.endswith("xxx']]")
    assert shortened(["x" * 50] * 3) == repr(["x" * 50] * 3)
