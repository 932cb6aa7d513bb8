"""Sizes of the small components that tests, and `make mutation`, elaborate."""

from __future__ import annotations

from dataclasses import replace

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.ports import Shape

DEPTH, SEGMENTS = 16, 4
"""Of a sequencer: instructions of a program memory, rows of the segment table."""

FETCH_DEPTH = 40
"""Instructions of the program memories that are fetched into."""

CYCLE_BITS, COUNTER_BITS = 7, 5
"""Narrow counters turn over within a test."""

SMALL = replace(Machine.load("tests/hw/small.toml"), banks=9, bank_kib=1)
ODD = replace(SMALL, lanes=8, depth=32, bank_kib=3)
"""Banks that are no power of two."""
SHAPES = (Shape(4, 2), Shape.of(64, 1), Shape.of(8, 8), Shape.of(16, 2))
"""Ports of up to five lines."""
