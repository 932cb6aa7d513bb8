"""Entry point of `intarsia`: its commands, and how a run ends.

Exit codes: 0 success, 1 a check found a mismatch (`raise typer.Exit(1)`), 2 bad input, 130 interrupted.

A command is a function in a file of its own, `cli/NAME.py`; its docstring is its help and ends with an
example. To keep `intarsia --help` fast it imports torch, numpy and the packages that need them in its
body. What users did wrong it raises as `InputError`.
"""

from __future__ import annotations

from intarsia.cli.entry import end_at_once

if __name__ == "__main__":
    end_at_once()  # python -m intarsia.cli.main, which does not begin in cli.entry

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from intarsia import __version__
from intarsia.cli.command import Command
from intarsia.cli.disassemble import disassemble
from intarsia.cli.entry import INTERRUPTED
from intarsia.cli.evaluate import evaluate
from intarsia.cli.export import export
from intarsia.cli.interrupt import interrupts, leave
from intarsia.cli.networks import networks
from intarsia.cli.output import console, emit_lines
from intarsia.cli.quantize import quantize
from intarsia.cli.rtl_run import rtl_run
from intarsia.cli.run import run
from intarsia.cli.simulate import simulate
from intarsia.cli.streams import checked_streams
from intarsia.cli.traffic import traffic
from intarsia.cli.train import train
from intarsia.cli.vectors import vectors
from intarsia.cli.verify import verify
from intarsia.cli.verilog import verilog
from intarsia.model.errors import InputError

COMMANDS: tuple[Callable[..., None], ...] = (
    run, networks, quantize, simulate, traffic, disassemble, verify, rtl_run, vectors, verilog, train,
    evaluate, export,
)  # fmt: skip
"""The commands in the order of `intarsia --help`; `rtl_run` becomes `rtl-run`."""

BAD_INPUT = 2

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
for command in COMMANDS:
    app.command(cls=Command)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        emit_lines([f"intarsia {__version__}"])
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Integer-only vision transformers, from PyTorch to silicon: quantize, run, emulate, verify."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on `arguments` (default: the process's own) and return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with checked_streams(), interrupts():
            code = app(given or ["--help"], prog_name="intarsia", standalone_mode=False)
    except InputError as error:
        return _fail(str(error), BAD_INPUT)
    except typer.TyperException as error:
        # Unknown commands and options, missing and malformed values.
        return _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        # Typer itself turns Ctrl-C in a command into this code.
        _fail("interrupted", INTERRUPTED)
        if arguments is None:
            leave()
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    sentence = " ".join(message.split())
    with checked_streams(results=False):
        console.print(f"intarsia: {sentence}", soft_wrap=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
