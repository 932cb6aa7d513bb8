"""How Ctrl-C ends a run: by an exception, so that all cleans up, and in any case within seconds."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from intarsia.cli.entry import INTERRUPTED, SIGNALS
from intarsia.model.unfinished import remove_unfinished

PATIENCE = 2.0
"""Seconds that a run has to clean up; a library that computes in one long call does not come to it."""
IMPORT = "<frozen importlib._bootstrap>"


@contextmanager
def interrupts() -> Iterator[None]:
    """Inside the block the signals that end a run raise KeyboardInterrupt, once; later ones are ignored.

    A thread learns of the signal at once, whatever Python is busy with, and ends the process if the block
    has not ended in time.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ended = threading.Event()
    # A signal that whoever started us ignores stays ignored: `nohup`, jobs in the background.
    wanted = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = {number: signal.signal(number, _interrupt) for number in wanted}
    wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    process = os.getpid()

    def watch() -> None:
        while number := os.read(read, 1):
            if signal.Signals(number[0]) in wanted:
                if not ended.wait(PATIENCE) and os.getpid() == process:
                    _end()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(write)
        watcher.join()
        os.close(read)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for later in SIGNALS:
        signal.signal(later, signal.SIG_IGN)
    while frame:
        if frame.f_code.co_filename == IMPORT:
            _end()  # a library that is half loaded may not survive an exception
        frame = frame.f_back
    # Of things that are now made for nothing nobody wants to hear.
    warnings.simplefilter("ignore")
    raise KeyboardInterrupt


def leave() -> NoReturn:
    """Ends the process at once, where all is cleaned up: libraries may take seconds to be unloaded."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(INTERRUPTED)


def _end() -> None:
    """What is left of the tools ends with us."""
    if tools := sys.modules.get("intarsia.synth.process"):
        tools.kill_all()
    remove_unfinished()
    with suppress(OSError):
        os.write(2, b"intarsia: interrupted\n")
    os._exit(INTERRUPTED)
