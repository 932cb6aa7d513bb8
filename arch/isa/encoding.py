"""The 32-byte encoding: a table of fields per opcode, which encoder, decoder and assembler follow."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from operator import index
from typing import Any

from intarsia.arch.isa.instructions import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Unit,
    Wait,
)
from intarsia.arch.machine import CONSTANT_SLOTS, PARAMETER_WORDS
from intarsia.model.errors import InputError

INSTRUCTION_BYTES = 32
_WORDS = struct.Struct("<8I")


@dataclass(frozen=True)
class Field:
    """Bits shift .. shift+bits-1 of a word hold value // scale; low <= value <= high, as `type`."""

    name: str
    word: int
    shift: int
    bits: int
    low: int
    high: int
    scale: int = 1
    type: type = int

    def pack(self, value: Any) -> int:
        """The field's bits, in place; a value that does not fit raises InputError."""
        try:
            number = index(value)
        except TypeError:
            raise InputError(f"{self.name} is {value!r}, {self.wanted()} is wanted") from None
        if not self.low <= number <= self.high or number % self.scale:
            raise InputError(f"{self.name} is {number}, {self.wanted()} is wanted")
        return (number // self.scale & (1 << self.bits) - 1) << self.shift

    def unpack(self, word: int) -> Any:
        """The value in `word`; one out of its range raises InputError."""
        number = word >> self.shift & (1 << self.bits) - 1
        if self.low < 0 and number >> self.bits - 1:
            number -= 1 << self.bits
        number *= self.scale
        if not self.low <= number <= self.high:
            raise InputError(f"{self.name} is {number}, {self.wanted()} is wanted")
        return number if self.type is int else self.type(number)

    def wanted(self) -> str:
        """The allowed values, in words."""
        kind = f"a multiple of {self.scale}" if self.scale > 1 else "an integer"
        return f"{kind} in {self.low}..{self.high}"


def _address(name: str, word: int) -> Field:
    return Field(name, word, 0, 32, 0, 2**32 - 1)


def _size(name: str, word: int) -> Field:
    return Field(name, word, 0, 32, 1, 2**32 - 1)


def _count(name: str, word: int, shift: int) -> Field:
    return Field(name, word, shift, 16, 1, 2**16 - 1)


def _stride(name: str, word: int, shift: int) -> Field:
    return Field(name, word, shift, 16, 0, 16 * (2**16 - 1), 16)


def _flag(name: str, bit: int) -> Field:
    return Field(name, 0, 8 + bit, 1, 0, 1, type=bool)


_PARAM = Field("param", 0, 16, 16, 0, PARAMETER_WORDS - 1)
_TRANSFER = (
    _address("dram", 1),
    _address("address", 2),
    _size("size", 3),
    _count("count1", 4, 0),
    _count("count2", 4, 16),
    _address("dram_stride1", 5),
    _address("dram_stride2", 6),
    Field("stride1", 7, 0, 16, 0, 2**16 - 1),
    Field("stride2", 7, 16, 16, 0, 2**16 - 1),
    _flag("based", 3),
)
_SHAPE = (_count("rows", 4, 0), _count("length", 4, 16))
_ROWS = (
    _address("source", 1),
    _address("target", 3),
    *_SHAPE,
    _stride("source_stride", 5, 0),
    _stride("target_stride", 5, 16),
)

# By opcode: the class and its fields.
OPCODES: dict[int, tuple[type, tuple[Field, ...]]] = {
    1: (Wait, (Field("unit", 1, 0, 32, 0, 6, type=Unit), Field("count", 2, 0, 32, -(2**31), 2**31 - 1))),
    2: (Load, (Field("space", 0, 8, 3, 1, 5, type=Space), *_TRANSFER)),
    3: (Store, _TRANSFER),
    4: (
        Matmul,
        (
            _address("x", 1),
            _address("y", 2),
            _address("out", 3),
            _count("m", 4, 0),
            _count("k", 4, 16),
            _count("n", 5, 0),
            _stride("x_stride", 5, 16),
            _stride("y_stride", 6, 0),
            _stride("out_stride", 6, 16),
            Field("layout", 0, 9, 2, 0, 2, type=Layout),
            _flag("x16", 0),
            _flag("out16", 3),
            _PARAM,
        ),
    ),
    5: (Shiftmax, (*_ROWS, _PARAM, _flag("out8", 0))),
    6: (Layernorm, (*_ROWS, Field("slot", 2, 0, 32, 0, CONSTANT_SLOTS - 1), _PARAM, _flag("out16", 0))),
    7: (Gelu, (*_ROWS, _PARAM)),
    8: (
        Residual,
        (
            _address("x", 1),
            _address("identity", 2),
            _address("target", 3),
            *_SHAPE,
            _stride("x_stride", 5, 0),
            _stride("target_stride", 5, 16),
            _stride("identity_stride", 6, 0),
            _PARAM,
        ),
    ),
    9: (Lookup, _ROWS),
    10: (
        Argmax,
        (
            _address("source", 1),
            _address("target", 3),
            *_SHAPE,
            _stride("source_stride", 5, 0),
            _flag("wide", 0),
        ),
    ),
    11: (Expand, (*_ROWS, _count("factor", 6, 0), _flag("wide", 0))),
}
OPCODE: dict[type, int] = {kind: opcode for opcode, (kind, _) in OPCODES.items()}
_FIXED = {3: Space.SCRATCHPAD << 8}  # bits of w0 that the opcode demands
_FIXED_MASK = {3: 7 << 8}


def _known(opcode: int, fields: tuple[Field, ...]) -> tuple[int, ...]:
    """Per word, the bits that mean something."""
    words = [0xFF | _FIXED_MASK.get(opcode, 0), 0, 0, 0, 0, 0, 0, 0]
    for field in fields:
        words[field.word] |= (1 << field.bits) - 1 << field.shift
    return tuple(words)


_KNOWN = {opcode: _known(opcode, fields) for opcode, (_, fields) in OPCODES.items()}


def known_bits(opcode: int) -> tuple[tuple[int, ...], int, int]:
    """Per word the bits that mean something, and of w0 the bits that the opcode fixes: value and mask."""
    return _KNOWN[opcode], _FIXED.get(opcode, 0), _FIXED_MASK.get(opcode, 0)


def encode(instruction: Instruction) -> bytes:
    """The 32 bytes of an instruction; a field out of its range raises InputError."""
    opcode = OPCODE[type(instruction)]
    words = [opcode | _FIXED.get(opcode, 0), 0, 0, 0, 0, 0, 0, 0]
    for field in OPCODES[opcode][1]:
        try:
            words[field.word] |= field.pack(getattr(instruction, field.name))
        except InputError as error:
            raise InputError(f"{mnemonic(opcode)}: {error}") from None
    return _WORDS.pack(*words)


def decode(data: bytes) -> Instruction:
    """The instruction of 32 bytes.

    An unknown opcode, a field out of its range or a set bit outside all fields raises InputError.
    """
    if len(data) != INSTRUCTION_BYTES:
        raise InputError(f"an instruction has {len(data)} bytes, {INSTRUCTION_BYTES} are wanted")
    words = _WORDS.unpack(data)
    opcode = words[0] & 0xFF
    if opcode not in OPCODES:
        raise InputError(f"opcode is {opcode}, one in 1..{max(OPCODES)} is wanted")
    for number, (word, known) in enumerate(zip(words, _KNOWN[opcode], strict=True)):
        if word & ~known:
            raise InputError(
                f"{mnemonic(opcode)}: w{number} is {word:#x}, no bit outside {known:#x} is wanted"
            )
    if words[0] & _FIXED_MASK.get(opcode, 0) != _FIXED.get(opcode, 0):
        raise InputError(f"{mnemonic(opcode)}: space is {words[0] >> 8 & 7}, 1 (scratchpad) is wanted")
    kind, fields = OPCODES[opcode]
    try:
        return kind(**{field.name: field.unpack(words[field.word]) for field in fields})
    except InputError as error:
        raise InputError(f"{mnemonic(opcode)}: {error}") from None


def mnemonic(opcode: int) -> str:
    """The name of an opcode, as assembly spells it."""
    return OPCODES[opcode][0].__name__.lower()
