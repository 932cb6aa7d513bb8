"""What of a test's parameters is slow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(values: Iterable[Any], keep: int) -> list[Any]:
    """All values; those after the first `keep` are marked slow: they show the same at more places."""
    return [
        value if number < keep else pytest.param(value, marks=pytest.mark.slow)
        for number, value in enumerate(values)
    ]
