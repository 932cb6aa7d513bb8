"""`intarsia disassemble`: a program file as text."""

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit_json, emit_lines


def disassemble(
    program: Annotated[Path, typer.Argument(help="A program file, of simulate --program.", metavar="FILE")],
    json: Json = False,
) -> None:
    """Show a program: its DRAM, its segments, and the instructions of every unit with their layers.

    The text is assembly; all but the instructions are comments.

    Example: intarsia disassemble base.prog
    """
    from intarsia.arch.listing import listing, listing_dict
    from intarsia.arch.program import Program

    loaded = Program.load(program)
    if json:
        emit_json(listing_dict(loaded))
        return
    emit_lines(listing(loaded))
