"""One run of the compiled accelerator: files for it, its progress, what it leaves behind."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Unit
from intarsia.arch.timing import Cycles
from intarsia.model.files import replacing
from intarsia.sim.rtl.compile import SCRATCHPAD_ARRAY, SCRATCHPAD_SCOPE
from intarsia.sim.rtl.job import READS, Job
from intarsia.sim.rtl.probes import RECORD
from intarsia.synth.process import SimulatorError

INTERRUPTED = 130
"""Exit code of a simulator that was told to stop."""


@dataclass(frozen=True)
class Played:
    """What the RTL did.

    cycles: in which it ran. starts, ends: by unit, of every instruction. registers: by address.
    dram, scratchpad: their contents at the end. states: of the probes. differences: the number of a probe
    that was different and the bytes found there, in order of time. faults: rules of the buses that were
    broken.
    """

    cycles: int
    starts: tuple[Cycles, ...]
    ends: tuple[Cycles, ...]
    registers: dict[int, int]
    dram: NDArray[np.uint8]
    scratchpad: NDArray[np.uint8]
    states: NDArray[np.uint32]
    differences: list[tuple[int, bytes]]
    faults: tuple[str, ...]
    seconds: float


def play(
    simulator: Path,
    job: Job,
    dram: NDArray[np.uint8],
    scratchpad: NDArray[np.uint8],
    probes: NDArray[np.void],
    *,
    latency: int,
    limit: int,
    waves: tuple[Path, int, int] | None = None,
    on_cycle: Callable[[int], None] = lambda cycle: None,
) -> Played:
    """Runs a job on contents of DRAM, its instructions behind them, and of the scratchpad; `probes` as
    `sim.rtl.probes` makes them.

    The run is given up after `limit` cycles. `waves` are a file, .vcd or .fst as the simulator was compiled
    for, and the first and last cycle of it; the file is not there if these were not reached. `on_cycle` is
    called now and then. Raises SimulatorError if the simulator fails, KeyboardInterrupt if interrupted.
    """
    with tempfile.TemporaryDirectory(prefix="intarsia-") as name:
        folder = Path(name)
        counts = np.array([len(job.writes), len(READS)], np.uint32)
        (folder / "job").write_bytes(
            counts.tobytes() + job.writes.tobytes() + np.array(READS, np.uint32).tobytes()
        )
        with (folder / "dram").open("wb") as file:
            dram.tofile(file)
            file.write(bytes(job.code_at - len(dram)) + job.code)
        scratchpad.tofile(folder / "scratchpad")
        probes.tofile(folder / "probes")
        command = [
            str(simulator),
            str(folder),
            str(latency),
            str(limit),
            SCRATCHPAD_SCOPE,
            SCRATCHPAD_ARRAY,
        ]
        if waves:
            command += ["waves", *map(str, waves[1:])]
        printed = _printed(command, folder / "log", on_cycle)
        found = np.fromfile(folder / "probes", RECORD)
        starts, ends = _trace(folder / "trace")
        if waves and (folder / "waves").exists():
            with replacing(waves[0]) as path:
                shutil.move(folder / "waves", path)
        (cycles,), (nanoseconds,) = printed["cycles"], printed["nanoseconds"]
        left = np.fromfile(folder / "dram", np.uint8)
        if left[job.code_at :].tobytes() != job.code:
            printed["fault"].append("the instructions in DRAM have changed")
        return Played(
            cycles=int(cycles),
            starts=starts,
            ends=ends,
            registers=dict(zip(READS, map(int, printed["register"]), strict=False)),
            dram=left[: len(dram)],
            scratchpad=np.fromfile(folder / "scratchpad", np.uint8),
            states=found["state"],
            differences=_differences(folder / "differences", found),
            faults=tuple(printed["fault"]),
            seconds=int(nanoseconds) / 1e9,
        )


def _printed(command: list[str], log: Path, on_cycle: Callable[[int], None]) -> dict[str, list[str]]:
    """What the simulator prints, by name."""
    printed: dict[str, list[str]] = {"cycles": [], "nanoseconds": [], "register": [], "fault": []}
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout
            for line in process.stdout:
                name, _, value = line.rstrip("\n").partition(" ")
                if name == "cycle":
                    on_cycle(int(value))
                elif name in printed:
                    printed[name].append(value)
        except BaseException:
            process.kill()
            raise
        code = process.wait()
    if code in (INTERRUPTED, -2):
        raise KeyboardInterrupt
    if code or not printed["cycles"]:
        last = " ".join(log.read_text(errors="replace").splitlines()[-3:])
        raise SimulatorError(f"the simulator of the accelerator ended with code {code}: {last}")
    return printed


def _trace(path: Path) -> tuple[tuple[Cycles, ...], tuple[Cycles, ...]]:
    with path.open("rb") as file:
        lists = [_list(file) for _ in Unit for _ in range(2)]
    return tuple(lists[0::2]), tuple(lists[1::2])


def _list(file: IO[bytes]) -> Cycles:
    (count,) = np.frombuffer(file.read(8), "<u8")
    return np.frombuffer(file.read(8 * int(count)), "<u8").astype(np.int64)


def _differences(path: Path, probes: NDArray[np.void]) -> list[tuple[int, bytes]]:
    found = []
    if path.exists():
        with path.open("rb") as file:
            while head := file.read(4):
                number = int.from_bytes(head, "little")
                size = int(probes[number]["rows"]) * int(probes[number]["row_bytes"])
                found.append((number, file.read(size)))
    return found
