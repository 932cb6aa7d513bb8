"""Files and folders under a temporary name, which must not outlive the process that fills them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_paths: set[Path] = set()


@contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """`path` is gone when the block ends: it has got its name, or else it is removed."""
    _paths.add(path)
    try:
        yield
    finally:
        _remove(path)
        _paths.discard(path)


def remove_unfinished() -> None:
    """Removes all of them, for a process that ends without ceremony."""
    for path in tuple(_paths):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
