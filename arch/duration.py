"""What durations are made of (docs/machine.md, section 6); the closed forms are those of the instructions.

`Instruction.unit_cycles` counts from the cycle in which the unit accepts its command to the one in which
its last result leaves, when inputs are always there and results always taken; the RTL's benches measure
just that. An instruction adds fetching and the way through the scratchpad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intarsia.arch.machine import Machine

if TYPE_CHECKING:
    from intarsia.arch.isa import Instruction

ISSUE = 4
"""Fetch and decode, before an instruction's first access."""
ACCESS = 6
"""From an address to the unit, and from the unit's result to where the next instruction reads it."""
WAIT = 1
"""A WAIT that is met takes this long."""
DIVIDE = 16
"""One quotient of up to 48 bits: once per row in Shiftmax and LayerNorm, pipelined in GELU."""
ROOT = 22
"""One square root; rows of LayerNorm follow each other no faster."""


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def bytes_per_cycle(machine: Machine) -> int:
    """What LOAD and STORE move: the memory port's width, or half of a bank's port where that is less,
    because a word of the bus may begin anywhere in the scratchpad's 16 bytes."""
    return min(machine.memory_width, machine.word // 2)


def cycles(instruction: Instruction, machine: Machine) -> int:
    """Cycles from the start of an instruction to its completion; a WAIT's are those when it is met."""
    return instruction.cycles(machine)
