"""Progress where no terminal shows a bar: a line now and then, so that a log tells work from a hang."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.progress import Progress

EVERY = 10.0
"""Seconds from one line to the next."""


class Bar(Progress):
    """A progress bar; one that is disabled prints what is done of what every ten seconds instead."""

    def __init__(self, *columns: Any, **options: Any) -> None:
        super().__init__(*columns, **options)
        self._ended = threading.Event()
        self._printer: threading.Thread | None = None

    def start(self) -> None:
        super().start()
        if self.disable and self._printer is None:
            self._printer = threading.Thread(target=self._print, daemon=True)
            self._printer.start()

    def stop(self) -> None:
        self._ended.set()
        super().stop()

    def _print(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(EVERY):
            # The last task that is not done: earlier ones are, or wait for it.
            open_tasks = [task for task in self.tasks if not task.finished]
            if open_tasks:
                task = open_tasks[-1]
                words = task.description or "working"
                if task.total is not None:
                    words += f": {task.completed:,.0f} of {task.total:,.0f}"
            else:
                words = "finishing"
            self.console.print(f"intarsia: {words}, {time.monotonic() - began:.0f} s", soft_wrap=True)
