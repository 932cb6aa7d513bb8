"""Which cycles of a run go to a file with all signals, and what is needed to write it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from intarsia.arch.isa import Unit, Wait
from intarsia.arch.program import Program
from intarsia.arch.timing import Timeline
from intarsia.model.errors import InputError
from intarsia.sim.rtl.place import Place, number_of

SUFFIXES = (".fst", ".vcd")
AROUND = 16
"""Cycles that are shown before and behind an instruction."""
LIBRARIES = (("lz4.h", "-llz4", "liblz4-dev"), ("zlib.h", "-lz", "zlib1g-dev"))
"""What Verilator's writer of FST includes and is linked with, and Debian's package of each."""


@dataclass(frozen=True)
class Waves:
    """A file of waves, .fst or .vcd, and its cycles.

    first, last : as the emulator counts cycles
    instruction : or those of UNIT:SEGMENT:ITERATION:INDEX in the emulator, with AROUND more on both sides;
        SEGMENT is a name or a number, INDEX counts waits, as the machine's error registers do
    """

    path: Path
    first: int = 0
    last: int = 0
    instruction: str = ""

    def check(self) -> None:
        """Refuses what cannot be written, before anything is done."""
        if self.path.suffix.lower() not in SUFFIXES:
            raise InputError(f"--waves must be a file {' or '.join(SUFFIXES)}, not {self.path}")
        if not self.instruction and self.first > self.last:
            raise InputError(
                f"waves must end in cycle {self.first}, where they begin, or later, not in {self.last}"
            )
        if self.path.suffix.lower() == ".fst" and (missing := _missing()):
            raise InputError(
                f"FST needs {' and '.join(missing)} beside the C++ compiler; a file .vcd does not"
            )

    def cycles(self, program: Program, timeline: Timeline) -> tuple[int, int]:
        """The first and the last cycle; InputError where the program has none of them."""
        if not self.instruction:
            if self.first >= timeline.cycles:
                raise InputError(
                    f"waves must begin before the program ends after {timeline.cycles} cycles, "
                    f"not in {self.first}"
                )
            return self.first, self.last
        place = _place(program, self.instruction)
        line, number = timeline.units[place.unit], number_of(place)
        return max(int(line.start[number]) - AROUND, 0), int(line.end[number]) - 1 + AROUND


def _place(program: Program, text: str) -> Place:
    """The instruction that UNIT:SEGMENT:ITERATION:INDEX names."""
    parts = text.split(":")
    if len(parts) != 4:
        raise InputError(
            f"an instruction must be UNIT:SEGMENT:ITERATION:INDEX, such as array:0:0:7, not {text!r}"
        )
    unit = _one(parts[0], [unit.name.lower() for unit in Unit], "unit")
    segment = _one(parts[1], [segment.name for segment in program.segments], "segment")
    found = program.segments[segment]
    queue = found.queues[unit]
    iteration = _number(parts[2], found.repeat, f"iteration of segment {found.name}")
    index = _number(parts[3], len(queue), f"instruction of {Unit(unit).name.lower()} in {found.name}")
    place = Place(program, segment, Unit(unit), iteration, index)
    if isinstance(queue[index], Wait):
        raise InputError(f"{text} is a wait, which has no cycles of its own: {place}")
    return place


def _one(text: str, names: list[str], what: str) -> int:
    """Number of what is called so, or has that number."""
    if text in names:
        return names.index(text)
    if text.isdecimal() and text.isascii() and int(text[:9]) < len(names):
        return int(text)
    raise InputError(f"{what} must be one of {', '.join(dict.fromkeys(names))}, not {text!r}")


def _number(text: str, count: int, what: str) -> int:
    if text.isdecimal() and text.isascii() and int(text[:9]) < count:
        return int(text)
    if not count:
        raise InputError(f"there is no {what}")
    raise InputError(f"{what} must be in 0..{count - 1}, not {text!r}")


def _missing() -> list[str]:
    """Of LIBRARIES, in words, those that the C++ compiler does not find."""
    missing = []
    for header, option, package in LIBRARIES:
        command = ["c++", "-x", "c++", "-", option, "-o", "/dev/null"]
        source = f"#include <{header}>\nint main() {{}}\n"
        try:
            done = subprocess.run(command, input=source, text=True, capture_output=True)
        except OSError as error:
            raise InputError(f"c++ cannot be run: {error.strerror}") from None
        if done.returncode:
            missing.append(f"{header} (Debian: {package})")
    return missing
