# amaranth: UnusedElaboratable=no
"""The documented ports are those of our Verilog."""

from __future__ import annotations

import pytest

from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import make_unit
from intarsia.sim.ports import Port, machine_ports
from intarsia.sim.verilog_ports import module_ports
from intarsia.synth.verilog import verilog_text
from tools.ports import PAGE, renewed

SMALL = Machine.load("tests/hw/small.toml")


def test_of_argmax():
    assert machine_ports("argmax", SMALL) == (
        Port("clk", "input", 1), Port("rst", "input", 1),
        Port("command__payload", "input", 32), Port("command__valid", "input", 1),
        Port("command__ready", "output", 1),
        Port("i__payload", "input", 64), Port("i__valid", "input", 1), Port("i__ready", "output", 1),
        Port("o__payload", "output", 16), Port("o__valid", "output", 1), Port("o__ready", "input", 1),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["mac_array", "requantize", "shiftgelu_table", "argmax"])
def test_ours_have_them(name):
    found = module_ports(verilog_text(make_unit(name, SMALL), name), name)
    assert found == {port.name: port for port in machine_ports(name, SMALL)}


def test_the_documented_table_is_that_of_the_units():
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page
