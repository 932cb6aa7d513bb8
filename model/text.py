"""Text that somebody else wrote: of a size and a depth that can be read, or refused by name in no time."""

from __future__ import annotations

import re
from pathlib import Path

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, refusing

MAX_DEPTH = 100
"""Tables, lists or parts of a key inside each other."""

_QUOTED = re.compile(
    r'"""(?:\\.|[^\\])*?"""|' + r"'''.*?'''|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'|#[^\n]*", re.DOTALL
)
_BRACKETS = re.compile(r"[\[\]{}]")
_NO_KEY = re.compile(r"[^\w\-. \t]+")


def read_text(path: str | Path, most: int, *, encoding: str = "utf-8", what: str = "UTF-8 text") -> str:
    """The text of a file of at most so many bytes; InputError, in a sentence, for what is no such file."""
    path = existing_file(Path(path))
    with refusing(f"{path} cannot be read"), path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path} must have at most {most} bytes, not more")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise InputError(f"{path} must be {what} in UTF-8, not other bytes") from None


def check_depth(text: str, path: str | Path) -> None:
    """Raises InputError for TOML or JSON whose tables, lists or dotted keys are nested deeper than a parser
    takes, or takes in no time."""
    text = _QUOTED.sub("s", text)
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth = depth + 1 if match[0] in "[{" else max(depth - 1, 0)
        if depth > MAX_DEPTH:
            raise InputError(f"{path} must be nested at most {MAX_DEPTH} levels deep, not deeper")
    if any(key.count(".") > MAX_DEPTH for key in _NO_KEY.split(text)):
        raise InputError(f"{path}: a key must have at most {MAX_DEPTH} parts, not more")
