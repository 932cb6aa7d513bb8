"""A program small enough to follow by hand, and what a machine does with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Instruction, Load, Space, Store, Unit, Wait
from intarsia.arch.program import Probe, Program, Region, Segment
from tests.arch.machines import MACHINE

BYTES = 96


def copies(repeat: int = 3) -> Program:
    """BYTES bytes per iteration, first to the scratchpad, then back behind all of them.

    A segment without instructions is in front of it.
    """
    load: list[Instruction] = [Wait(Unit.STORE, 0), Load(0, Space.SCRATCHPAD, 32, BYTES, based=True)]
    store: list[Instruction] = [Wait(Unit.LOAD, 1), Store(repeat * BYTES, 32, BYTES, based=True)]
    queues = (tuple(load), tuple(store), *((),) * 5)
    labels = (("in",), ("out",), *((),) * 5)
    probe = Probe("row {i}", Unit.LOAD, 0, 32, 48, 2, 20, "int16", 0, 0)
    empty = Segment("empty", ((),) * 7, ((),) * 7)
    segment = Segment("copies", queues, labels, repeat, 0, BYTES, (probe,))
    size = repeat * BYTES
    regions = (Region("in", 0, size, "image"), Region("labels", size, size, "labels"))
    return Program(MACHINE, (empty, segment), regions, 2 * size, "uint8")


def contents(program: Program) -> NDArray[np.uint8]:
    """Random bytes in front, zeros behind."""
    dram = np.zeros(program.dram_bytes, np.uint8)
    half = program.dram_bytes // 2
    dram[:half] = np.random.default_rng(1).integers(0, 256, half)
    return dram
