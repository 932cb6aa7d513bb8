"""Where the process begins: it is said what Ctrl-C does before anything that takes time is imported."""

from __future__ import annotations

import os
import signal
from types import FrameType

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_at_once() -> None:
    """From here on the signals that end a run end the process in one line: nothing is to be cleaned up.

    `interrupt.interrupts` takes over where a command begins. A signal that whoever started us ignores
    stays ignored: `nohup`, jobs in the background.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"intarsia: interrupted\n")
    os._exit(INTERRUPTED)


def main() -> int:
    """The command `intarsia`; returns its exit code."""
    end_at_once()
    from intarsia.cli.main import main as run

    return run()
