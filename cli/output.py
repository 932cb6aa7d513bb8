"""What commands write: results on stdout, everything else (progress, notes, errors) on stderr.

Names come from outside: what a terminal would obey in them is shown, not sent.

A command that reports follows this pattern:

    def traffic(json: Json = False) -> None:
        with progress(json=json) as bar:
            for size in bar.track(sizes, description="counting"):
                ...
        if json:
            emit_json(report)
        else:
            results.print(table)
"""

from __future__ import annotations

import json as json_module
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from intarsia.cli.lines import Bar
from intarsia.model.messages import printable

WIDE = 10_000
"""Columns where no terminal limits them: nothing is wrapped or cut in a file or a pipe."""


def emit_lines(lines: Iterable[str]) -> None:
    """Print many lines on stdout, as plain as `results` prints them, and a thousand times as fast."""
    sys.stdout.writelines(f"{printable(line)}\n" for line in lines)


class _Console(Console):
    """Prints all strings, in tables and titles too, as they are: no markup, no emoji, no control."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def _console(*, stderr: bool) -> Console:
    # File names are no markup: [x] in them is not a style, :x: not an emoji.
    made = _Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.file.isatty():
        made.width = WIDE
    return made


console = _console(stderr=True)
"""For people while a command works: notes, warnings, errors."""

results = _console(stderr=False)
"""For people, what they asked for: tables. Silent with --json."""

Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout, and nothing else.")]
"""The type of every command's `json` option."""


def emit_json(report: Mapping[str, Any]) -> None:
    """Print `report` on stdout, the only thing there with --json.

    Arrays become lists and paths text. JSON has no NaN and no infinity: both become null.
    """
    sys.stdout.write(json_module.dumps(_plain(report), indent=2, allow_nan=False) + "\n")


class _Description(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(printable(task.description))


def note(sentence: str) -> None:
    """Print a line on stderr that people should know of; the command goes on."""
    console.print(f"intarsia: {sentence}", soft_wrap=True)


def progress(*, json: bool = False) -> Bar:
    """A progress bar on stderr that vanishes when done; with --json or without a terminal, a line every ten
    seconds with what is done of what."""
    return Bar(
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=json or not console.is_terminal,
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        # Arrays, tensors and their scalars, without importing what defines them.
        return _plain(value.tolist())
    raise TypeError(f"a report must hold numbers, text, lists and mappings, not {type(value).__name__}")
