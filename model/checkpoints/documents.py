"""JSON files beside weights, read within limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, refusing
from intarsia.model.messages import shortened

MAX_JSON = 2**22
"""Bytes of a document; a configuration with the names of 21,841 classes has 1.6 MB."""


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file; another value, and a file above MAX_JSON bytes, is refused."""
    with refusing(f"{path} cannot be read"):
        size = existing_file(path).stat().st_size
        if size > MAX_JSON:
            raise InputError(f"{path} must have at most {MAX_JSON} bytes, not {size}")
        text = path.read_bytes()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{path} must be JSON, not {shortened(text[:60])}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} must hold a JSON object, not {shortened(value)}")
    return value
