"""Programs that tests need."""

from __future__ import annotations

import os
import shutil

import pytest


def require(item: pytest.Item) -> None:
    """@pytest.mark.needs("iverilog"): without that program a test is skipped, in CI (CI=true) it fails."""
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                missing = f"{program} is not on PATH: install it"
                if os.environ.get("CI") in (None, "", "0", "false"):
                    pytest.skip(missing)
                pytest.fail(missing, pytrace=False)
