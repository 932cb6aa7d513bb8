"""Activations that are tables, in the RTL."""

from __future__ import annotations

from intarsia.arch.machine import Machine
from intarsia.model.data.scenes import generate
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.rtl.network import compare_network
from tests.conftest import random_segmenter
from tests.emu.compile.edits import with_tables


def test_tables_and_gelus_in_the_rtl():
    """Every tensor and every cycle of blocks with other tables, and of one with ShiftGELU."""
    size = (13, 20)
    segmenter = random_segmenter(4, image=size, embed=12, heads=2, layers=2, classes=3)
    graph = quantize(segmenter, [generate(5, size).image], QuantizeOptions())
    changed = with_tables(graph, "encoder", "decoder.blocks.1")
    found = compare_network(changed, Machine.load("tests/hw/whole.toml"), generate(6, size).image)
    assert found.comparison.problems == ()
    assert found.ok
