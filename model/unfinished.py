"""Files and folders under a temporary name, which must not outlive the process that fills them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_paths: set[Path] = set()
_folders: list[Path] = []


@contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """`path` is gone when the block ends: it has got its name, or else it is removed."""
    _paths.add(path)
    try:
        yield
    finally:
        _remove(path)
        _paths.discard(path)


@contextmanager
def new_folders(path: Path) -> Iterator[None]:
    """The folder and its parents, made if missing; those that are still empty go if the block raises."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    _folders.extend(missing)
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        _remove_empty(missing)
        raise
    finally:
        for folder in missing:
            _folders.remove(folder)


def remove_unfinished() -> None:
    """Removes all of them, for a process that ends without ceremony."""
    for path in tuple(_paths):
        _remove(path)
    _remove_empty(tuple(_folders))


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
