"""What is wrong with an instruction by itself: the errors that stop a machine, and what no machine sees.

`check_instruction` finds the errors of docs/machine.md, section 8, that follow from an instruction's fields
and the machine, `check_overlaps` what the fields of a legal instruction must not do all the same.
"""

from __future__ import annotations

from intarsia.arch.access import Access, accesses, bank_mask, space_bytes
from intarsia.arch.isa import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Load,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
)
from intarsia.arch.isa.encoding import OPCODE, OPCODES
from intarsia.arch.machine import Machine
from intarsia.arch.pieces import meeting, repeated
from intarsia.arch.timing import ProgramError

UNKNOWN, FIELD, ADDRESS, BUS, PORT, WATCHDOG = 1, 2, 3, 4, 5, 6
"""Codes of docs/machine.md, section 8."""
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
_MATRICES: dict[type, tuple[str, ...]] = {
    Load: (),
    Store: (),
    Matmul: ("x", "y", "out"),
    Residual: ("x", "identity", "target"),
    Argmax: ("source",),
    Expand: ("target",),
}
"""Fields that hold the address of a matrix; labels begin anywhere."""


class InstructionError(Exception):
    """An error of an instruction that does not know its place in the program."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def check(name: str, value: int, low: int, high: int) -> int:
    """`value` where it lies in low..high, else a fault of the field `name`."""
    if not low <= value <= high:
        raise InstructionError(FIELD, f"{name} is {value}, {low}..{high} is wanted")
    return value


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
    if isinstance(op, Matmul | Residual):
        first, second = (access for access in touched[:2])
        if shared := bank_mask(first, machine) & bank_mask(second, machine):
            names = ("x", "y") if isinstance(op, Matmul) else ("x", "identity")
            bank = (shared & -shared).bit_length() - 1
            raise InstructionError(
                PORT, f"{names[0]} and {names[1]} are both in bank {bank}, different ones are wanted"
            )


def _check_fields(op: Instruction) -> None:
    """The ranges of single fields, as the encoding has them."""
    for field in OPCODES[OPCODE[type(op)]][1]:
        value = getattr(op, field.name)
        if not field.low <= value <= field.high or value % field.scale:
            scale = f"a multiple of {field.scale} in " if field.scale > 1 else ""
            raise InstructionError(
                FIELD,
                f"{field.name} is {int(value)}, {scale}{field.low}..{field.high} is wanted",
            )


def _check_machine(op: Instruction, machine: Machine) -> None:
    """What depends on the machine or on several fields."""
    for name in _MATRICES.get(type(op), ("source", "target")):
        if (at := getattr(op, name)) % ALIGNMENT:
            raise InstructionError(FIELD, f"{name} is at {at:#x}, a multiple of {ALIGNMENT} is wanted")
    match op:
        case Matmul():
            check("m", op.m, 1, min(machine.accumulator_rows, 65535))
        case Shiftmax() | Gelu():
            check("length", op.length, 1, machine.row_length)
            if isinstance(op, Shiftmax) and not op.out8 and op.source == op.target:
                raise InstructionError(
                    FIELD,
                    f"target is {op.target:#x} like the source, another place is wanted for 16 bits",
                )
        case Layernorm():
            check("length", op.length, 1, machine.layernorm_length)
        case Argmax(wide=False):
            check("length", op.length, 1, 256)
        case Expand(wide=True):
            check("factor", op.factor, 2, 65535)


def check_overlaps(op: Instruction, machine: Machine) -> None:
    """Raises ProgramError where what an instruction writes overlaps itself, or what it reads: source and
    target are the same matrix, where an instruction allows that, or have no byte in common.

    No machine looks for it: what it writes then is undefined.
    """
    touched = accesses(op, machine)
    (target,) = (access for access in touched if access.write)
    if (at := repeated(target)) is not None:
        raise ProgramError(f"byte {at:#x} of its target is written twice, once is wanted")
    for source in touched:
        if source.write or source.space is not target.space or _in_place(op, source, target):
            continue
        if (at := meeting(source, target)) is not None:
            raise ProgramError(
                f"its target at {target.low:#x} and its source at {source.low:#x} share byte {at:#x},"
                f" {'the same matrix or ' if may_be_in_place(op) else ''}none is wanted"
            )


def may_be_in_place(op: Instruction) -> bool:
    """Whether source and target may be the same matrix: if elements are as wide."""
    match op:
        case Shiftmax():
            return op.out8
        case Layernorm():
            return op.out16
        case Matmul() | Argmax() | Expand():
            return False
    return True


def _in_place(op: Instruction, source: Access, target: Access) -> bool:
    alike = source.low == target.low and source.size == target.size and source.count1 == target.count1
    return may_be_in_place(op) and alike and (source.count1 == 1 or source.stride1 == target.stride1)
