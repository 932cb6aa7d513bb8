"""Instructions as hardware sees them: the fields that they declare, cut out of 256 bits."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.utils import exact_log2

from intarsia.arch.isa import INSTRUCTIONS, UNIT, Instruction, Wait
from intarsia.arch.isa.encoding import known_bits
from intarsia.arch.isa.field import Field
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.isa.limit import Apart, Limit
from intarsia.arch.isa.operand import Element, When
from intarsia.arch.isa.record import Record, Scalar
from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.ports import LINE_BYTES

INSTRUCTION_BITS = 256
WORD_BITS = 32
ILLEGAL_OPCODE = 1
ILLEGAL_FIELD = 2


def opcode(word: Value) -> Value:
    """The lowest byte of an instruction."""
    return word[:8]


def is_kind(word: Value, kind: type[Instruction]) -> Value:
    """Whether an instruction is of this kind."""
    return opcode(word) == kind.opcode


def field(word: Value, kind: type[Instruction], name: str) -> Value:
    """A field's value, in the units of `arch.isa`: strides in bytes."""
    return _value(word, _fields(kind)[name])


def scalar(word: Value, record: Record, name: str) -> Value:
    """A scalar of a record: of a parameter word, or of the constants of an output or a channel."""
    one = record[name]
    bits = word[8 * one.first : 8 * one.first + one.bits]
    return bits.as_signed() if one.signed else bits


def scalar_faults(word: Value, record: Record) -> list[Value]:
    """Per scalar that its bits do not keep in its range, whether it is out of it."""
    return [_outside(scalar(word, record, one.name), one) for one in record.scalars if one.limited]


def limit_faults(word: Value, kind: type[Instruction], machine: Machine) -> list[Value]:
    """Per limit of an instruction on a machine, whether it breaks it."""
    return [_breaks(word, kind, limit, machine) for limit in kind.limits]


def alignment_faults(word: Value, kind: type[Instruction]) -> list[Value]:
    """Per matrix of an instruction, whether it begins within a line."""
    return [field(word, kind, name)[: exact_log2(LINE_BYTES)] != 0 for name in kind.matrices()]


def element_bytes(word: Value, kind: type[Instruction], element: Element) -> Any:
    """The size of an operand's elements, with the instruction's flags."""
    if not element.flag:
        return element.plain_bytes
    return Mux(field(word, kind, element.flag), element.other_bytes, element.plain_bytes)


def illegal(word: Value, unit: Value) -> Value:
    """0, or the code of the error that this instruction is in the queue of `unit` (docs/machine.md, 8).

    Opcode, unused bits and the ranges of single fields; what depends on the machine, its units see.
    """
    code: Value = Const(ILLEGAL_OPCODE, 2)
    for kind in INSTRUCTIONS:
        own = is_kind(word, kind)
        if kind is not Wait:
            own &= unit == UNIT[kind]
        code = Mux(own, Mux(_out_of_range(word, kind), ILLEGAL_FIELD, 0), code)
    return code


def _fields(kind: type[Instruction]) -> dict[str, Field]:
    return {f.name: f for f in fields_of(kind)}


def _holds(word: Value, kind: type[Instruction], when: When) -> Value:
    (wanted,) = when.values
    return field(word, kind, when.field) if wanted else ~field(word, kind, when.field)


def _breaks(word: Value, kind: type[Instruction], limit: Limit | Apart, machine: Machine) -> Value:
    if isinstance(limit, Apart):
        wrong = field(word, kind, limit.source) == field(word, kind, limit.target)
    else:
        value, own = field(word, kind, limit.field), _fields(kind)[limit.field]
        bad = []
        if limit.low > own.low:
            bad.append(value == own.low if limit.low == own.low + 1 else value < limit.low)
        if limit.of_machine or limit.highest(machine) < own.high:
            bad.append(value > limit.highest(machine))
        wrong = reduce(or_, bad)
    return wrong if limit.when is None else _holds(word, kind, limit.when) & wrong


def _outside(value: Value, one: Scalar) -> Value:
    if one.names:
        return value >= len(one.names)
    bad = [value < one.low] if one.low > one.least else []
    return reduce(or_, [*bad, value > one.high] if one.high < one.most else bad)


def _raw(word: Value, f: Field) -> Value:
    low = f.word * WORD_BITS + f.shift
    bits = word[low : low + f.bits]
    return bits.as_signed() if f.low < 0 else bits


def _value(word: Value, f: Field) -> Value:
    raw = _raw(word, f)
    return raw << (f.scale.bit_length() - 1) if f.scale > 1 else raw


def _out_of_range(word: Value, kind: type[Instruction]) -> Value:
    bad = []
    known, fixed, mask = known_bits(kind.opcode)
    for number, bits in enumerate(known):
        if unknown := ~bits & (1 << WORD_BITS) - 1:
            part = word[number * WORD_BITS : (number + 1) * WORD_BITS]
            bad.append((part & unknown) != 0)
    if mask:
        bad.append((word[:WORD_BITS] & mask) != fixed)
    for f in _fields(kind).values():
        raw = _raw(word, f)
        low, high = f.low // f.scale, f.high // f.scale
        smallest, largest = (
            (-(1 << f.bits - 1), (1 << f.bits - 1) - 1) if f.low < 0 else (0, (1 << f.bits) - 1)
        )
        if low > smallest:
            bad.append(raw < low)
        if high < largest:
            bad.append(raw > high)
    return reduce(or_, bad, Const(0, 1))


def assembled(kind: type[Instruction], **values: Value) -> Value:
    """The word of an instruction with these fields, in the units of `arch.isa`; others are 0."""
    code = kind.opcode
    bits: list[Value] = [Const(code >> k & 1, 1) for k in range(INSTRUCTION_BITS)]
    for name, value in values.items():
        f = _fields(kind)[name]
        low = f.word * WORD_BITS + f.shift
        scale = f.scale.bit_length() - 1
        padded = Cat(value, Const(0, f.bits + scale))
        bits[low : low + f.bits] = padded[scale : scale + f.bits]
    return Cat(bits)
