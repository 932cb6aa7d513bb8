"""Tools as processes that end with us: each leads a process group, and Ctrl-C ends the whole of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

_Result = TypeVar("_Result")

PAUSE = 1.0
"""Seconds between two looks at a process that is watched."""
GRACE = 1.0
"""Seconds that workers have to clean up after an interrupt."""


class SimulatorError(RuntimeError):
    """A tool failed, or a simulator ended without a report; the end of its log is in the message."""


_running: set[int] = set()
_stopping = threading.Event()


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    timeout: float | None = None,
    watch: Callable[[], None] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of text, in a process group that is killed where the wait for it ends otherwise:
    on Ctrl-C, after `timeout` (TimeoutExpired), or when another thread is interrupted (KeyboardInterrupt).

    `watch` is called about every second while it runs.
    """
    if _stopping.is_set():
        raise KeyboardInterrupt
    with subprocess.Popen(command, text=True, process_group=0, **options) as process:
        _running.add(process.pid)
        try:
            output, errors = _wait(process, timeout, watch)
        except BaseException:
            _kill(process.pid)
            raise
        finally:
            _running.discard(process.pid)
    if _stopping.is_set():
        raise KeyboardInterrupt
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _wait(
    process: subprocess.Popen[str], timeout: float | None, watch: Callable[[], None] | None
) -> tuple[str, str]:
    if watch is None:
        return process.communicate(timeout=timeout)
    while True:
        try:
            return process.communicate(timeout=PAUSE)
        except subprocess.TimeoutExpired:
            watch()


@contextmanager
def threads(workers: int | None = None) -> Iterator[Executor]:
    """A pool of threads that wait for tools; where its block is interrupted, all of the tools end."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    except BaseException:
        _stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for leader in tuple(_running):
            _kill(leader)
        raise
    finally:
        pool.shutdown()
        _stopping.clear()


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """A pool of processes; where its block is interrupted, they and all that they started end.

    What is submitted goes through `work`.
    """
    pool = ProcessPoolExecutor(count, initializer=_become_worker)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        started = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        leaders = [process.pid for process in started if process.pid]
        for leader in leaders:
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGTERM)
        end = time.monotonic() + GRACE
        for process in started:
            process.join(max(0.0, end - time.monotonic()))
        for leader in leaders:
            _kill(leader)
        raise


def work(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """What a worker does: when it is told to end, `function` cleans up behind itself first."""
    global _busy
    _busy = True
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        os._exit(130)
    finally:
        _busy = False


_busy = False


def _become_worker() -> None:
    """In a process group of its own Ctrl-C does not reach it, nor what it starts: we end it by SIGTERM."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_worker)


def _end_worker(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)  # all that it started; itself it ignores that
    for leader in tuple(_running):
        _kill(leader)
    if not _busy:
        os._exit(130)
    raise KeyboardInterrupt


def kill_all() -> None:
    """Ends every tool and worker that runs, for a process that ends without ceremony."""
    _stopping.set()
    for leader in tuple(_running):
        _kill(leader)


def _kill(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
