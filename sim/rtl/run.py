"""A program in the RTL and on the emulator: DRAM, the scratchpad, and every instruction's time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.hazards import check_program
from intarsia.arch.history import SPILLED
from intarsia.arch.isa import Unit
from intarsia.arch.program import OUTPUT_KINDS, Program, Region
from intarsia.arch.timing import Timeline, simulate_program
from intarsia.emu.execute import unwritten
from intarsia.hw.sequencer.control import DONE, ERROR, ERROR_INDEX, ERROR_ITERATION, ERROR_SEGMENT, STATUS
from intarsia.sim.rtl.compile import compile_accelerator
from intarsia.sim.rtl.design import accelerator_verilog, program_depth
from intarsia.sim.rtl.divergence import Divergence, first_divergence
from intarsia.sim.rtl.job import BUSY, CYCLES_LOW, Job, job
from intarsia.sim.rtl.place import Place
from intarsia.sim.rtl.play import Played, play
from intarsia.sim.rtl.probes import Expected, count_values, count_wrong, expected
from intarsia.sim.rtl.waves import Waves

WATCHDOG = 1 << 24
NOISE = 99
"""Seed of what DRAM holds where the program writes: other noise than any memory on the chip."""

OnProgress = Callable[[str, int, int | None], None]
"""Called with what is done, how far that is, and how far it goes, where that is known."""


@dataclass(frozen=True)
class Comparison:
    """A run of a program in the RTL beside the emulator's.

    compared_values: of every tensor when it is complete, and of what the program leaves in DRAM;
    mismatched_values: of these, and bytes that are wrong elsewhere in DRAM and, at the end, in the
    scratchpad, whether the program has written them or not. problems: in words, what is
    wrong; none if all is well. busy: per unit cycles in instructions, in the RTL and in the emulator.
    dram: its contents at the end. waves: the first and last cycle of which they were kept, if asked for.
    """

    rtl_cycles: int
    emulated_cycles: int
    compared_values: int
    mismatched_values: int
    instructions: int
    problems: tuple[str, ...]
    busy: dict[Unit, tuple[int, int]]
    dram: NDArray[np.uint8]
    wall_seconds: float
    compile_seconds: float
    waves: tuple[int, int] | None = None

    @property
    def ok(self) -> bool:
        """Whether everything is equal."""
        return not self.problems

    @property
    def cycles_per_second(self) -> float:
        """Of the RTL's simulation."""
        return self.rtl_cycles / self.wall_seconds if self.wall_seconds else 0.0


def compare_program(
    program: Program,
    dram: NDArray[np.uint8],
    *,
    waves: Waves | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Comparison:
    """Runs a program from the DRAM contents `dram` in both; `waves` are kept of the RTL.

    Both begin with the same noise in the scratchpad and wherever in DRAM the program itself is to write,
    and every byte of these is compared at the end.

    Raises InputError for a program that the machine cannot hold or the checker or the emulator refuses,
    SimulatorError if the simulator cannot be built or fails.
    """
    depth = program_depth(program)
    work = job(program, depth, len(dram))
    timeline = simulate_program(program)
    window = waves.cycles(program, timeline) if waves else None
    dram = with_noise(program, dram)
    check_program(program, timeline)
    on_progress("emulating", 0, None)
    wanted = expected(program, dram)
    on_progress("writing the Verilog, once for a machine", 0, None)
    began = time.perf_counter()
    verilog = accelerator_verilog(program.machine, depth)
    compiling = "compiling the RTL, once for a machine"
    on_progress(compiling, 0, None)
    simulator = compile_accelerator(
        verilog,
        waves.path.suffix.lower() if waves else "",
        lambda done, total: on_progress(compiling, done, total),
    )
    compile_seconds = time.perf_counter() - began
    on_progress("running the RTL", 0, timeline.cycles)
    played = play(
        simulator,
        work,
        dram,
        unwritten(program.machine.scratchpad_bytes),
        wanted.records,
        latency=program.machine.memory_latency,
        limit=timeline.cycles + 2 * WATCHDOG,
        waves=(waves.path, *window) if waves and window else None,
        on_cycle=lambda cycle: on_progress("running the RTL", min(cycle, timeline.cycles), timeline.cycles),
    )
    found = _compared(program, dram, work, timeline, wanted, played, compile_seconds)
    if window and played.cycles <= window[0]:
        gone = f"the RTL ended in cycle {played.cycles}, before the waves begin in {window[0]}"
        return replace(found, problems=(*found.problems, gone))
    return replace(found, waves=window)


def with_noise(program: Program, dram: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Those contents where the program's regions hold something from the start, noise elsewhere."""
    found = unwritten(len(dram), NOISE)
    for region in program.regions:
        if region.kind not in SPILLED:
            part = slice(region.address, region.address + region.size)
            found[part] = dram[part]
    return found


def _compared(
    program: Program,
    dram: NDArray[np.uint8],
    work: Job,
    timeline: Timeline,
    wanted: Expected,
    played: Played,
    compile_seconds: float,
) -> Comparison:
    problems = [*played.faults, *_stopped(program, work, timeline, played)]
    divergence = first_divergence(program, timeline, played.starts, played.ends)
    if divergence:
        problems.append(f"time: {divergence}")
    if played.cycles != timeline.cycles:
        problems.append(f"the RTL took {played.cycles:,} cycles, the emulator {timeline.cycles:,}")
    wrong, first = count_wrong(program, dram, wanted, played.states, played.differences)
    in_dram, first_in_dram = _dram(program, wanted.dram, played.dram)
    on_chip, first_on_chip = _scratchpad(program, wanted.scratchpad, played.scratchpad)
    problems += [f"value: {words}" for words in (first, first_in_dram, first_on_chip) if words]
    return Comparison(
        rtl_cycles=played.cycles,
        emulated_cycles=timeline.cycles,
        compared_values=count_values(wanted, played.states) + _values_in_dram(program),
        mismatched_values=wrong + in_dram + on_chip,
        instructions=sum(map(len, played.ends)),
        problems=tuple(problems),
        busy=_busy(timeline, played),
        dram=played.dram,
        wall_seconds=played.seconds,
        compile_seconds=compile_seconds,
    )


def _stopped(program: Program, work: Job, timeline: Timeline, played: Played) -> list[str]:
    """How the machine says that it came to its end, and its counters, where that is not as it should be."""
    read = played.registers
    if STATUS not in read:
        return []
    if read[STATUS] == DONE:
        units = [(f"the counter of {u.unit.name.lower()}", BUSY[u.unit], u.busy) for u in timeline.units]
        counts = [("the cycle counter", CYCLES_LOW, played.cycles), *units]
        shown = [(name, read[at] | read[at + 4] << 32, wanted) for name, at, wanted in counts]
        return [
            f"{name} must be {right:,}, not {count:,}" for name, count, right in shown if count != right
        ]
    code, unit = read[ERROR] & 255, read[ERROR] >> 8 & 255
    if not code:
        return [f"the status at the end must be {DONE}, not {read[STATUS]}"]
    number = read[ERROR_SEGMENT]
    segment = work.segments[number] if number < len(work.segments) else len(program.segments)
    place = Place(program, segment, Unit(unit), read[ERROR_ITERATION], read[ERROR_INDEX])
    return [f"error {code} in cycle {played.cycles}: {place}"]


def _dram(program: Program, wanted: NDArray[np.uint8], seen: NDArray[np.uint8]) -> tuple[int, str | None]:
    """Values of the outputs that are wrong and bytes that are wrong elsewhere, and the first in words."""
    places = np.flatnonzero(wanted != seen)
    if not len(places):
        return 0, None
    wrong, elsewhere = 0, np.ones(len(places), bool)
    for region in program.regions:
        if region.kind in OUTPUT_KINDS:
            inside = (places >= region.address) & (places < region.address + region.size)
            wrong += len(np.unique((places[inside] - region.address) // _item(program, region)))
            elsewhere &= ~inside
    first = int(places[0])
    words = (
        f"DRAM byte {first:#x}, in {_region(program, first)}, must be {wanted[first]}, not {seen[first]}"
    )
    return wrong + int(elsewhere.sum()), words


def _scratchpad(
    program: Program, wanted: NDArray[np.uint8], seen: NDArray[np.uint8]
) -> tuple[int, str | None]:
    """Bytes that are wrong at the end, and the first of them in words."""
    places = np.flatnonzero(wanted != seen)
    if not len(places):
        return 0, None
    first = int(places[0])
    bank = first // program.machine.bank_bytes
    where = f"scratchpad byte {first:#x}, in bank {bank}"
    return len(places), f"at the end {where}, must be {wanted[first]}, not {seen[first]}"


def _values_in_dram(program: Program) -> int:
    """Values of the outputs, and bytes of activations where the program does not say which tensors they
    are."""
    probed = any(segment.probes for segment in program.segments)
    outputs = sum(r.size // _item(program, r) for r in program.regions if r.kind in OUTPUT_KINDS)
    return outputs + (0 if probed else sum(r.size for r in program.regions if r.kind == "activations"))


def _region(program: Program, address: int) -> str:
    def holds(region: Region) -> bool:
        return region.address <= address < region.address + region.size

    return next((region.name for region in program.regions if holds(region)), "no region")


def _item(program: Program, region: Region) -> int:
    return np.dtype(program.output_dtype(region)).itemsize


def _busy(timeline: Timeline, played: Played) -> dict[Unit, tuple[int, int]]:
    found = {}
    for line in timeline.units:
        starts, ends = played.starts[line.unit], played.ends[line.unit]
        count = min(len(starts), len(ends))
        found[line.unit] = int((ends[:count] - starts[:count]).sum()), line.busy
    return found


__all__ = ["Comparison", "Divergence", "OnProgress", "compare_program"]
