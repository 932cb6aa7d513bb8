"""The process that judges inputs, seen from outside: started anew where an input ends it or holds it up."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

PATIENCE = 120.0
"""Seconds for one case, the start of the process among them."""


@dataclass(frozen=True)
class Found:
    """What became of one case; its file is at `path` until the next."""

    outcome: str
    text: str
    done: str
    seconds: float
    bytes: int
    path: Path


class Worker:
    """Plays cases one after another, in a process of its own."""

    def __enter__(self) -> Worker:
        self._folder = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[str] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._folder.cleanup()

    def play(self, kind: str, seed: str) -> Found:
        """The case of a seed; an outcome "killed" or "hung" where there was no answer."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        line = ""
        try:
            process.stdin.write(f"{kind} {seed}\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
            line = process.stdout.readline() if ready else ""
            outcome = "killed" if ready else "hung"
        except BrokenPipeError:
            outcome = "killed"
        path = next(iter(sorted((Path(self._folder.name) / kind).glob("case.*"))), Path(self._folder.name))
        if line:
            return Found(**json.loads(line), path=path)
        self._end()
        seconds = PATIENCE if outcome == "hung" else 0.0
        return Found(outcome, "the process gave no answer", "", seconds, 0, path)

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tools.fuzzing.worker", self._folder.name]
        # Ctrl-C is for us: a session of its own keeps it from the worker.
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
