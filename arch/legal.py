"""What is wrong with an instruction by itself: the errors that stop a machine, and what no machine sees.

`check_instruction` finds the errors of docs/machine.md, section 8, that follow from an instruction's fields
and the machine, `check_overlaps` what the fields of a legal instruction must not do all the same.
"""

from __future__ import annotations

from intarsia.arch.access import Access, accesses, bank_mask, space_bytes
from intarsia.arch.isa import Instruction, Space
from intarsia.arch.isa.errors import (
    ADDRESS,
    BUS,
    FIELD,
    PORT,
    UNKNOWN,
    WATCHDOG,
    InstructionError,
    check,
)
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.machine import Machine
from intarsia.arch.pieces import meeting, repeated
from intarsia.arch.timing import ProgramError

__all__ = [
    "ADDRESS", "BUS", "FIELD", "PORT", "UNKNOWN", "WATCHDOG", "InstructionError", "check",
    "check_instruction", "check_overlaps", "may_be_in_place",
]  # fmt: skip

ALIGNMENT = 16
"""Of matrices in the scratchpad, in bytes."""

DRAM_END = 1 << 32
"""Behind the last address that the memory port has."""

NAMES = {
    Space.DRAM: "DRAM",
    Space.SCRATCHPAD: "scratchpad",
    Space.STATIONARY: "stationary buffer",
    Space.PARAMETERS: "parameters",
    Space.CONSTANTS: "row constants",
    Space.TABLE: "table",
}


def check_instruction(op: Instruction, machine: Machine, dram_bytes: int, base: int = 0) -> None:
    """Raises InstructionError for what stops the machine whatever its memories hold; `base` is the DRAM
    base register."""
    _check_fields(op)
    _check_machine(op, machine)
    touched = accesses(op, machine, base)
    for access in touched:
        size = space_bytes(access.space, machine, dram_bytes)
        if access.low < 0 or access.high > size:
            # Behind the program's DRAM nobody answers the bus.
            nobody = access.space is Space.DRAM and 0 <= access.low and access.high <= DRAM_END
            raise InstructionError(
                BUS if nobody else ADDRESS,
                f"bytes {access.low:#x} to {access.high:#x} are not all inside the"
                f" {NAMES[access.space]} of {size:#x} bytes",
            )
    sources = [one for one in op.present() if not one.write and one.memory(op) is Space.SCRATCHPAD]
    if len(sources) == 2:
        first, second = (bank_mask(one.access(op, machine), machine) for one in sources)
        if shared := first & second:
            bank = (shared & -shared).bit_length() - 1
            raise InstructionError(
                PORT,
                f"{sources[0].name} and {sources[1].name} must be in different banks, not both in {bank}",
            )


def _check_fields(op: Instruction) -> None:
    """The ranges of single fields, as the encoding has them."""
    for field in fields_of(type(op)):
        value = getattr(op, field.name)
        if not field.holds(value):
            raise InstructionError(FIELD, f"{field.name} must be {field.wanted()}, not {int(value)}")


def _check_machine(op: Instruction, machine: Machine) -> None:
    """What depends on the machine or on several fields."""
    for name in op.matrices():
        if (at := getattr(op, name)) % ALIGNMENT:
            raise InstructionError(FIELD, f"{name} must be a multiple of {ALIGNMENT}, not {at:#x}")
    for limit in op.limits:
        if wrong := limit.wrong(op, machine):
            raise InstructionError(FIELD, wrong)


def check_overlaps(op: Instruction, machine: Machine) -> None:
    """Raises ProgramError where what an instruction writes overlaps itself, or what it reads: source and
    target are the same matrix, where an instruction allows that, or have no byte in common.

    No machine looks for it: what it writes then is undefined.
    """
    touched = accesses(op, machine)
    (target,) = (access for access in touched if access.write)
    if (at := repeated(target)) is not None:
        raise ProgramError(f"byte {at:#x} of its target must be written once, not twice")
    for source in touched:
        if source.write or source.space is not target.space or _in_place(op, source, target):
            continue
        if (at := meeting(source, target)) is not None:
            wanted = "be the same matrix or share no byte" if may_be_in_place(op) else "share no byte"
            both = f"its target at {target.low:#x} and its source at {source.low:#x}"
            raise ProgramError(f"{both} must {wanted}, not {at:#x}")


def may_be_in_place(op: Instruction) -> bool:
    """Whether source and target may be the same matrix: if elements are as wide."""
    sizes = {one.element_bytes(op) for one in op.present() if one.memory(op) is Space.SCRATCHPAD}
    return op.in_place and len(sizes) == 1


def _in_place(op: Instruction, source: Access, target: Access) -> bool:
    alike = source.low == target.low and source.size == target.size and source.count1 == target.count1
    return may_be_in_place(op) and alike and (source.count1 == 1 or source.stride1 == target.stride1)
