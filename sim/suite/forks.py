"""Work in copies of this process, which has imported what all of it needs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Job = TypeVar("Job")
Work = Callable[[Job, int], int]
"""Does a job, writes to a file descriptor what is to be known of it, returns an exit code."""
CRASHED = 70
"""An exit code that is none of pytest's."""


def each(
    jobs: Sequence[Job], work: Work[Job], workers: int, limit: float
) -> Iterator[tuple[Job, int, str]]:
    """So many at once, each in a process of its own: the job, its exit code, and what was written, in the
    order in which they end. A process ends after `limit` seconds; its code is then -SIGALRM. One in which
    the work raises an exception ends with CRASHED."""
    running: dict[int, tuple[Job, int]] = {}
    for job in jobs:
        if len(running) == workers:
            yield _ended(running)
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(read)
            _child(job, work, write, limit)
        os.close(write)
        running[pid] = job, read
    while running:
        yield _ended(running)


def _child(job: Job, work: Work[Job], write: int, limit: float) -> None:
    signal.alarm(int(limit))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    code = CRASHED
    try:
        code = work(job, write)
    finally:
        os._exit(code)


def _ended(running: dict[int, tuple[Job, int]]) -> tuple[Job, int, str]:
    pid, status = os.wait()
    job, read = running.pop(pid)
    with os.fdopen(read) as file:
        return job, os.waitstatus_to_exitcode(status), file.read()
