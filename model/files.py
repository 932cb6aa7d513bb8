"""Files appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from model.errors import InputError


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """What the system refuses inside the block becomes one sentence that begins with `what`.

    Permissions, names that are too long, a full disk; safetensors wraps them in its own error.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{what}: {reason}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without error.

    Missing parent folders are made. A place that cannot be written is refused by name, also
    where writing fails half-way.
    """
    path = output_file(path)
    with refusing(f"cannot write {path}"):
        # The suffix stays last: writers choose the format by it. The whole stem could be too long.
        prefix = f".{path.stem[:16]}."
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def output_file(path: Path) -> Path:
    """`path`, refused by name where no file can be written; its folder is made if missing.

    For commands that work long before they write.
    """
    path = Path(path)
    with refusing(f"cannot write {path}"):
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder, a file name is wanted")
    output_folder(path.parent)
    return path


def output_folder(path: Path) -> Path:
    """The folder `path`, made if missing; refused by name where it cannot be written."""
    path = Path(path)
    with refusing(f"cannot write to folder {path}"):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    return path


def existing_file(path: Path) -> Path:
    """`path`, refused by name when it is not a file that can be read."""
    path = Path(path)
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
