"""Results of runs that are long, written as they come: the next run goes on where one stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from intarsia.model.files import replacing


def read_results(path: Path) -> dict[str, Any]:
    """By name, what is done; nothing where there is no file yet."""
    done: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return done


def write_results(path: Path, done: dict[str, Any]) -> None:
    """The file appears whole or not at all: whoever interrupts loses no more than one run."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(done, indent=1))
