"""Icarus Verilog, the second simulator of the benches: it knows x and z, and needs no C++ compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from cocotb_tools.runner import get_runner

from intarsia.model.errors import InputError

ICARUS = "icarus"
ARGUMENTS = ("-Wno-timescale",)


@cache
def icarus_version() -> str:
    """The first line that it prints of itself; InputError where it is not installed."""
    if shutil.which("iverilog") is None or shutil.which("vvp") is None:
        raise InputError("--simulator icarus needs Icarus Verilog: no iverilog and vvp on the PATH")
    done = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, errors="replace")
    return done.stdout.partition("\n")[0]


def build_icarus(
    source: Path, top: str, work: Path, arguments: Sequence[str], log: Path, *, waves: bool
) -> None:
    """Compiles a file to `work`/sim.vvp; RuntimeError or SystemExit if Icarus does not take it."""
    get_runner(ICARUS).build(
        sources=[source], hdl_toplevel=top, build_dir=work, build_args=list(arguments), always=True,
        waves=waves, timescale=("1ns", "1ps"), log_file=log,
    )  # fmt: skip


def icarus_preprocessed(files: Sequence[Path], folders: Sequence[Path]) -> str:
    """All text of files as Icarus sees it, what they include from folders as well. It does not say where a
    line is from; what Icarus does not find, it will say when it compiles."""
    with tempfile.TemporaryDirectory(prefix="intarsia-") as place:
        text = Path(place, "text.v")
        options = [f"-I{folder}" for folder in folders]
        command = ["iverilog", "-E", "-g2012", *options, "-o", str(text), *map(str, files)]
        subprocess.run(command, capture_output=True)
        return text.read_text(errors="replace") if text.exists() else ""
