"""The accelerator: a program from a host's registers, carried out between DRAM and the units."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from intarsia.arch.isa import Unit
from intarsia.arch.machine import Machine
from intarsia.hw.assembly import Engines, MakeScratchpad
from intarsia.hw.interfaces.axi import bus_width, connect_plain, full_bus, lite_bus, plain_members
from intarsia.hw.memory.scratchpad import Scratchpad
from intarsia.hw.sequencer.control import ADDRESS_BITS, Control
from intarsia.hw.sequencer.sequencer import Sequencer
from intarsia.hw.sequencer.watchdog import PATIENCE, Watchdog

DEPTH = 2048
"""Instructions per queue, where nobody says otherwise."""
SEGMENTS = 64


class Accelerator(wiring.Component):
    """Runs programs of `arch.program`, as docs/machine.md says, in the cycles that the emulator says.

    Parameters
    ----------
    machine : the machine description
    depth : instructions per queue;  segments : of a program, at most
    scratchpad, clock_gates : as of `Engines`;  patience : as of `Watchdog`

    Members
    -------
    s_axil_* : AXI4-Lite, subordinate: the control registers
    m_axi_* : AXI4, manager: DRAM
    running : Out(1), the cycle counter counts
    trace_start, trace_finishing : Out(1) per unit, the first and the last cycle of an instruction that is
        no WAIT
    """

    def __init__(
        self,
        machine: Machine,
        *,
        depth: int = DEPTH,
        segments: int = SEGMENTS,
        scratchpad: MakeScratchpad = Scratchpad,
        patience: int = PATIENCE,
        clock_gates: bool = False,
    ) -> None:
        self.control = Control(machine, depth=depth, segments=segments)
        self.sequencer = Sequencer(depth=depth, segments=segments, width=bus_width(machine))
        self.engines = Engines(machine, scratchpad, clock_gates=clock_gates)
        self.watchdog = Watchdog(patience=patience)
        super().__init__(
            {
                **plain_members("s_axil", lite_bus(ADDRESS_BITS).flip()),
                **plain_members("m_axi", full_bus(bus_width(machine))),
                "running": Out(1),
                "trace_start": Out(len(Unit)),
                "trace_finishing": Out(len(Unit)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.control, m.submodules.sequencer = control, sequencer = self.control, self.sequencer
        m.submodules.engines, m.submodules.watchdog = engines, watchdog = self.engines, self.watchdog
        connect_plain(m, self, "s_axil", control.bus)
        connect_plain(m, self, "m_axi", engines.bus)
        control.attach(m, sequencer)
        for unit in Unit:
            wiring.connect(m, sequencer.unit[unit], engines.unit[unit])
        wiring.connect(m, engines.program, sequencer.loaded)
        m.d.comb += [
            engines.stop.eq(sequencer.error != 0),
            engines.busy.eq(sequencer.busy),
            control.quiet.eq(engines.quiet),
            control.moved.eq(engines.moved),
            watchdog.running.eq(sequencer.running | sequencer.fetching),
            watchdog.busy.eq(sequencer.busy),
            watchdog.moved.eq(engines.moved),
            sequencer.expired.eq(watchdog.expired),
            self.running.eq(sequencer.running),
            self.trace_start.eq(Cat(port.start for port in sequencer.unit)),
            self.trace_finishing.eq(sequencer.busy & Cat(port.finishing for port in sequencer.unit)),
        ]
        return m
