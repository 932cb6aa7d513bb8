"""Bounds on time that no machine beats."""

from __future__ import annotations

from intarsia.arch.isa import Matmul, Unit
from intarsia.arch.program import Program


def array_bound(program: Program) -> int:
    """Cycles that the array needs when every tile is full and nothing else takes time."""
    machine, work = program.machine, 0
    for segment in program.segments:
        for one in segment.queues[Unit.ARRAY]:
            if isinstance(one, Matmul):
                work += one.m * one.n * one.k * (2 if one.x16 else 1) * segment.repeat
    return -(-work // (machine.lanes * machine.depth))
