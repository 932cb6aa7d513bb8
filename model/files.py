"""Files appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from intarsia.model.errors import InputError
from intarsia.model.kinds import Kind, kind_of
from intarsia.model.unfinished import new_folders, unfinished


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """What the system refuses inside the block becomes one sentence that begins with `what`.

    Permissions, names that are too long, a full disk; safetensors wraps them in its own error.
    """
    try:
        yield
    except (OSError, SafetensorError, UnicodeEncodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{what}: {reason}") from None


@contextmanager
def replacing(path: Path, kind: Kind | None = None) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without error.

    Missing parent folders are made, and removed again if nothing is written. A place that cannot be
    written is refused by name, also where writing fails half-way, and where a file of another kind than
    `kind`, by default that of the suffix, would be lost.
    """
    path = output_file(path, kind)
    with refusing(f"cannot write {path}"), new_folders(path.parent):
        # The suffix stays last: writers choose the format by it. The whole stem could be too long.
        prefix = f".{path.stem[:16]}."
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        with unfinished(temporary):
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)


def output_file(path: Path, kind: Kind | None = None) -> Path:
    """`path`, refused by name where no file of this kind can be written; nothing is made yet.

    With a `kind`, its suffix is demanded. For commands that work long before they write.
    """
    path = Path(path)
    with refusing(f"cannot write {path}"):
        if path.is_dir():
            raise InputError(f"cannot write {path}: it must be a file, not a folder")
        if kind is not None:
            kind.check(path)
        elif known := kind_of(path):
            known.check_existing(path)
    output_folder(path.parent)
    return path


def output_folder(path: Path) -> Path:
    """The folder `path`, refused by name where it cannot be made or written; it is not made yet."""
    path = Path(path)
    with refusing(f"cannot write to folder {path}"), suppress(_OnlyTriedError), new_folders(path):
        with tempfile.TemporaryFile(dir=path):
            pass
        raise _OnlyTriedError
    return path


class _OnlyTriedError(Exception):
    """Undoes what was made on trial."""


def existing_file(path: Path) -> Path:
    """`path`, refused by name when it is not a file that can be read."""
    path = Path(path)
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} cannot be read: a file name has no NUL")
    with refusing(f"{path} cannot be read"):
        if not path.exists():
            raise InputError(f"{path} does not exist")
        if not path.is_file():
            raise InputError(f"{path} is not a file")
        if not os.access(path, os.R_OK):
            raise InputError(f"{path} cannot be read: permission denied")
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
