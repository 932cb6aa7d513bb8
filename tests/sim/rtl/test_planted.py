"""Faults planted into the RTL's sequencing are caught, and the message points to an instruction."""

from __future__ import annotations

import inspect
import sys
import textwrap
from typing import Any

import pytest

from intarsia.arch.machine import Machine
from intarsia.hw.accelerator import Accelerator
from intarsia.hw.dma.bursts import Bursts
from intarsia.hw.sequencer.queue import Queue
from intarsia.hw.units.mac_array.accumulator import Accumulator
from intarsia.sim.flat_scratchpad import FlatScratchpad
from intarsia.sim.rtl import compile as compiling
from intarsia.sim.rtl import run
from intarsia.sim.rtl.network import compare_network
from intarsia.synth.verilog import verilog_text
from tests.slow import few

SHORT = (
    "self.length.eq(Mux(ends, end[word:block], ~Const(0, block - word)) - here[word:block])",
    "self.length.eq(Mux(ends, end[word:block], ~Const(1, block - word)) - here[word:block])",
)
FAULTS = {
    "a wait is met at once": (
        Queue,
        "_wait",
        "met.eq(of_one(awaited, reached))",
        "met.eq(program.waits)",
    ),
    "the bank that adds drains": (
        Accumulator,
        "elaborate",
        "drained.eq(Mux(read.bank, even, odd))",
        "drained.eq(Mux(read.bank, odd, even))",
    ),
    "a burst is a beat short": (Bursts, "elaborate", *SHORT),
}


def plant(monkeypatch: pytest.MonkeyPatch, component: Any, method: str, old: str, new: str) -> None:
    """Changes the source of how a component is built."""
    source = textwrap.dedent(inspect.getsource(getattr(component, method)))
    assert source.count(old) == 1
    names: dict[str, Any] = {}
    exec(source.replace(old, new), vars(sys.modules[component.__module__]), names)
    monkeypatch.setattr(component, method, names[method])


@pytest.mark.parametrize("fault", few(FAULTS, 1))
def test_a_planted_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, graph: Any, picture: Any, fault: str
) -> None:
    plant(monkeypatch, *FAULTS[fault])
    monkeypatch.setattr(compiling, "MAKE", ("OPT_FAST=-O1", *compiling.MAKE[1:]))
    monkeypatch.setattr(run, "accelerator_verilog", _verilog)
    found = compare_network(graph, Machine.load("tests/hw/whole.toml"), picture)
    assert not found.ok
    problems = " ".join(found.comparison.problems)
    assert "instruction" in problems
    assert found.comparison.rtl_cycles < 10 * found.comparison.emulated_cycles


def _verilog(machine: Machine, depth: int) -> str:
    """A watchdog that does not wait as long as a user would."""
    dut = Accelerator(machine, depth=depth, scratchpad=FlatScratchpad, clock_gates=True, patience=1 << 16)
    return verilog_text(dut, compiling.TOP)
