"""DRAM and scratchpad in bins of time: exact sums of what the program does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.duration import bytes_per_cycle
from intarsia.arch.isa import Load, Space, Store, Unit
from intarsia.arch.machine import Machine
from intarsia.arch.timing import simulate_program
from intarsia.emu.over_time import OverTime
from intarsia.emu.simulation import network, simulate_graph
from tests.arch.machines import MACHINE
from tests.arch.programs import program, segment


@pytest.fixture(scope="module", params=["whole", "short of memory"])
def report(request):
    edge = Machine.load("edge")
    if request.param == "whole":
        return simulate_graph(network("mini", "scenes", (64, 80)), edge)
    small = replace(edge, banks=64, bank_kib=2, accumulator_rows=32, memory_width=4)
    return simulate_graph(network("mini", "scenes", (128, 128)), small)


@pytest.mark.parametrize("most", [1, 2, 17, 500, 2000])
def test_bins_add_up_to_the_traffic(report, most):
    bins = report.over_time.bins(most)
    assert len(bins.cycles) <= most
    assert bins.cycles.sum() == report.cycles
    assert 8 * bins.read.sum() == report.traffic["dram"]["read"]
    assert 8 * bins.written.sum() == report.traffic["dram"]["write"]
    assert (bins.byte_cycles.sum(),) == tuple(report.over_time.bins(1).byte_cycles)
    width = bytes_per_cycle(report.machine)
    assert (bins.read <= width * bins.cycles).all()
    assert (bins.written <= width * bins.cycles).all()
    assert (bins.live <= report.over_time.occupancy.peak).all()


def test_plain_values_hold_the_same(report):
    found = report.over_time.to_dict()
    assert 8 * sum(found["dram_read_bytes"]) == report.traffic["dram"]["read"]
    assert 8 * sum(found["dram_write_bytes"]) == report.traffic["dram"]["write"]
    assert len(found["scratchpad_live_bytes"]) == -(-report.cycles // found["bin_cycles"])
    assert 0 < max(found["scratchpad_live_bytes"]) <= found["scratchpad_peak_bytes"]
    assert found["scratchpad_peak_bytes"] <= found["scratchpad_bytes"] == report.machine.scratchpad_bytes


def test_bytes_move_when_the_port_moves_them():
    """Latency 100, 16 bytes a cycle: a LOAD's data come last, a STORE's go first."""
    queues = {Unit.LOAD: [Load(0, Space.SCRATCHPAD, 0, 96)], Unit.STORE: [Store(0, 0, 40)]}
    one = program(segment(queues))
    bins = OverTime(one, simulate_program(one)).bins(1000)
    assert MACHINE.memory_latency == 100
    np.testing.assert_array_equal(np.flatnonzero(bins.read), np.arange(104, 110))
    assert set(bins.read[104:].tolist()) == {16}
    np.testing.assert_array_equal(np.flatnonzero(bins.written), [4, 5, 6])
    assert bins.written.sum() == 40


def test_a_program_that_moves_nothing():
    one = program(segment({}))
    bins = OverTime(one, simulate_program(one)).bins()
    assert (bins.read.tolist(), bins.written.tolist(), bins.live.tolist()) == ([0], [0], [0])
