"""The folder that keeps what was made once: machine code, simulators, Verilog, synthesis.

What lies there is executed later, so it is only used if nobody else can have written it: folder and file
belong to the user or to root, and neither group nor others may write them. The name of what is kept holds
a digest of all that it was made of.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from intarsia.model.errors import InputError
from intarsia.model.unfinished import unfinished

VARIABLE = "INTARSIA_CACHE"
ADVICE = f"set {VARIABLE} to a folder of your own"
FULL = os.strerror(errno.ENOSPC)


def cache_root() -> Path:
    """$INTARSIA_CACHE, or `intarsia` in the user's cache folder; not looked at."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intarsia"
    except RuntimeError:
        raise InputError(f"no home folder is known for the cache: {ADVICE}") from None


def cache_folder(*parts: str) -> Path:
    """A folder of the cache, made for the user alone if missing.

    Raises InputError where it cannot be made, or where somebody else could have written to it.
    """
    return own_folder(cache_root(), *parts)


def own_folder(root: Path, *parts: str) -> Path:
    """As `cache_folder`, below another root."""
    folder = root.absolute()
    with usable(folder):
        for place in (folder, *(folder.joinpath(*parts[: count + 1]) for count in range(len(parts)))):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_foreign(place)
    return folder.joinpath(*parts)


def digest(*parts: str) -> str:
    """A name for what was made of these texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def kept(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` in the cache's folder `kind`; unless it is there, `make` fills it.

    `make` gets a temporary folder, which takes the name when it is complete. Of two processes that want
    the same, one waits for the other. Raises InputError where the cache cannot be used.
    """
    folder = cache_folder(kind)
    target = folder / name
    if not is_kept(target):
        with usable(folder), FileLock(folder / f"{name}.lock", mode=0o600):
            if not is_kept(target):
                _fill(target, make)
    return target


def kept_text(kind: str, name: str, make: Callable[[], str]) -> str:
    """A text that is kept like the folders of `kept`."""
    folder = kept(kind, name, lambda work: put_text(work / "text", make()))
    return (folder / "text").read_text(encoding="utf-8")


def put_text(path: Path, text: str) -> None:
    """Writes a text as UTF-8."""
    path.write_text(text, encoding="utf-8")


def is_kept(path: Path) -> bool:
    """Whether a file or folder is there; InputError if it, or anything in it, is not ours."""
    if not os.path.lexists(path):
        return False
    refuse_foreign(path)
    if path.is_dir():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                refuse_foreign(Path(folder, name))
    return True


def refuse_foreign(path: Path) -> None:
    """Raises InputError unless `path`, and what it points to as a link, belong to the user or to root and
    can be written by nobody else."""
    try:
        link, target = path.lstat(), path.stat()
    except FileNotFoundError:
        return  # removed meanwhile by who made it
    remedy = f"what lies there would be run: remove it, or {ADVICE}"
    whose = "is a link that belongs" if stat.S_ISLNK(link.st_mode) else "belongs"
    for found, what in ((link, whose), (target, "belongs")):
        if found.st_uid not in (os.geteuid(), 0):
            raise InputError(
                f"{path} {what} to user {_user(found.st_uid)}, not to {_user(os.geteuid())}, and {remedy}"
            )
    if target.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(target.st_mode)
        raise InputError(
            f"{path} can be written by other users (its mode is {mode:04o}), and {remedy}; if you trust it,"
            " run chmod go-w on it"
        )


def make_private(path: Path) -> None:
    """Takes every right on a file, or a folder and all in it, from group and others."""
    for place in (path, *path.rglob("*")):
        if not place.is_symlink():
            place.chmod(stat.S_IMODE(place.stat().st_mode) & 0o700)


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """What the system refuses inside the block, a full disk too, becomes one sentence on the cache."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT and not str(error.filename).startswith(str(folder)):
            raise  # not the cache, but a tool is missing
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror or str(error)
        raise InputError(unusable(folder, reason)) from None
    except RuntimeError as error:
        # The tools that write there say it in their own output.
        if FULL not in str(error):
            raise
        raise InputError(unusable(folder, FULL)) from None


def tool_environment() -> dict[str, str]:
    """The environment for tools in WebAssembly, which keep machine code too: in the cache, or where
    YOWASP_CACHE_DIR says, and it is checked."""
    folder = cache_folder("tools")
    given = os.environ.get("YOWASP_CACHE_DIR")
    for place in (folder, own_folder(Path(given)) if given else folder):
        is_kept(place)
    return os.environ | {"XDG_CACHE_HOME": str(folder)}


def _fill(target: Path, make: Callable[[Path], None]) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{target.name[:32]}-", dir=target.parent))
    with unfinished(work):
        make(work)
        make_private(work)
        work.rename(target)


def unusable(folder: Path, reason: str) -> str:
    """The sentence on a cache that cannot be used."""
    return f"the cache folder {folder} cannot be used: {reason}; {ADVICE}, on a disk with room"


def _user(number: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except KeyError:
        return str(number)
