"""What `make mutation` is told to mutate and to run is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hw.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_files_are_where_the_target_says(name: str) -> None:
    """A source that is not there would leave nothing to mutate."""
    target = TARGETS[name]
    assert all((Path("hw") / source).is_file() for source in target.sources)
    assert target.tests
    assert all(Path(test.partition("::")[0]).is_file() for test in target.tests)
