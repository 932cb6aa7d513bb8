"""Which bytes every instruction reads and writes (docs/machine.md, sections 2 and 4)."""

from __future__ import annotations

from intarsia.arch.isa import Instruction, Space
from intarsia.arch.isa.access import Access
from intarsia.arch.machine import PARAMETERS_BYTES, TABLE_BYTES, Machine

__all__ = ["Access", "accesses", "bank_mask", "space_bytes"]


def accesses(instruction: Instruction, machine: Machine, base: int = 0) -> tuple[Access, ...]:
    """Everything that an instruction reads and writes; `base`: the DRAM base register."""
    return instruction.accesses(machine, base)


def space_bytes(space: Space, machine: Machine, dram_bytes: int) -> int:
    """Size of a memory."""
    return {
        Space.DRAM: dram_bytes,
        Space.SCRATCHPAD: machine.scratchpad_bytes,
        Space.STATIONARY: machine.stationary_bytes,
        Space.PARAMETERS: PARAMETERS_BYTES,
        Space.CONSTANTS: machine.constants_bytes,
        Space.TABLE: TABLE_BYTES,
    }[space]


def bank_mask(access: Access, machine: Machine) -> int:
    """The banks of the scratchpad that an access touches, as bits; gaps between rows touch none."""
    if access.space is not Space.SCRATCHPAD:
        return 0
    size = machine.bank_bytes
    if max(access.stride1, access.stride2) <= size:
        # No stride leaps over a bank.
        first, last = access.low // size, (access.high - 1) // size
        return (1 << last + 1) - (1 << first)
    starts = access.starts()
    firsts, lasts = starts // size, (starts + access.size - 1) // size
    mask = 0
    for first, last in set(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        mask |= (1 << last + 1) - (1 << first)
    return mask
