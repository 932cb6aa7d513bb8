"""The 32-byte encoding: encoder and decoder follow the fields that instructions declare."""

from __future__ import annotations

import struct
from enum import IntEnum

from intarsia.arch.isa.field import Field
from intarsia.arch.isa.instruction import Instruction, fields_of
from intarsia.arch.isa.registry import OPCODES
from intarsia.model.errors import InputError

INSTRUCTION_BYTES = 32
_WORDS = struct.Struct("<8I")


def _fixed(kind: type[Instruction]) -> tuple[int, int]:
    """Bits of w0 that an instruction demands, as a value and a mask."""
    value = mask = 0
    for field, wanted in kind.fixed.values():
        value, mask = value | field.pack(wanted), mask | field.mask
    return value, mask


def _known(kind: type[Instruction]) -> tuple[int, ...]:
    """Per word, the bits that mean something."""
    words = [0xFF, 0, 0, 0, 0, 0, 0, 0]
    for field in (*fields_of(kind), *(field for field, _ in kind.fixed.values())):
        words[field.word] |= field.mask
    return tuple(words)


_KNOWN = {opcode: (_known(kind), *_fixed(kind)) for opcode, (kind, _) in OPCODES.items()}


def known_bits(opcode: int) -> tuple[tuple[int, ...], int, int]:
    """Per word the bits that mean something, and of w0 the bits that the opcode fixes: value and mask."""
    return _KNOWN[opcode]


def encode(instruction: Instruction) -> bytes:
    """The 32 bytes of an instruction; a field out of its range raises InputError."""
    opcode = instruction.opcode
    words = [opcode | _KNOWN[opcode][1], 0, 0, 0, 0, 0, 0, 0]
    for field in OPCODES[opcode][1]:
        try:
            words[field.word] |= field.pack(getattr(instruction, field.name))
        except InputError as error:
            raise InputError(f"{instruction.mnemonic()}: {error}") from None
    return _WORDS.pack(*words)


def decode(data: bytes) -> Instruction:
    """The instruction of 32 bytes.

    An unknown opcode, a field out of its range or a set bit outside all fields raises InputError.
    """
    if len(data) != INSTRUCTION_BYTES:
        raise InputError(f"an instruction must have {INSTRUCTION_BYTES} bytes, not {len(data)}")
    words = _WORDS.unpack(data)
    opcode = words[0] & 0xFF
    if opcode not in OPCODES:
        raise InputError(f"opcode must be in 1..{max(OPCODES)}, not {opcode}")
    kind, fields = OPCODES[opcode]
    name = kind.mnemonic()
    for number, (word, known) in enumerate(zip(words, _KNOWN[opcode][0], strict=True)):
        if word & ~known:
            raise InputError(f"{name}: w{number} must have no bit outside {known:#x}, not {word:#x}")
    for field_name, (field, wanted) in kind.fixed.items():
        _check_fixed(name, field_name, field, wanted, words[field.word])
    try:
        return kind(**{field.name: field.unpack(words[field.word]) for field in fields})
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _check_fixed(name: str, field_name: str, field: Field, wanted: IntEnum, word: int) -> None:
    if (found := (word & field.mask) >> field.shift) != wanted:
        right = f"{int(wanted)} ({wanted.name.lower()})"
        raise InputError(f"{name}: {field_name} must be {right}, not {found}")
