"""stdout and stderr that may be full, closed or gone: one sentence, no traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from intarsia.model.errors import InputError


class _Stream:
    """A stream whose failures to write are InputErrors, or nothing at all."""

    def __init__(self, stream: TextIO, name: str | None) -> None:
        self._stream, self._name = stream, name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._stream, attribute)

    def write(self, text: str) -> int:
        with self._refusing():
            return self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._refusing():
            self._stream.flush()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _silence(self._stream)
            if self._name:
                raise InputError(f"cannot write to {self._name}: {error.strerror or error}") from None


@contextmanager
def checked_streams(*, results: bool = True) -> Iterator[None]:
    """Inside the block, stdout raises InputError where it cannot be written, if results go there; stderr is
    silent then."""
    before = sys.stdout, sys.stderr
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        closed = True
    else:
        closed = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal may not know every character of a file name.
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = cast(TextIO, _Stream(sys.stdout, "stdout"))
    sys.stderr = cast(TextIO, _Stream(sys.stderr, None))
    try:
        if closed and results:
            raise InputError("cannot write to stdout: it is closed")
        yield
        if results:
            sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = before


def _silence(stream: TextIO) -> None:
    """What is left in the buffer goes nowhere, or Python would complain of it at its end."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
