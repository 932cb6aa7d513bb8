"""Assembly text: one instruction a line, `matmul x=0x100 y=0x0 ... layout=packed`; `#` begins a comment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from enum import IntEnum
from typing import Any, cast

from intarsia.arch.isa.encoding import encode
from intarsia.arch.isa.field import Field
from intarsia.arch.isa.instruction import Instruction, fields_of
from intarsia.arch.isa.registry import INSTRUCTIONS
from intarsia.model.errors import InputError

_NAMES = {
    kind.mnemonic(): (kind, {field.name: field for field in fields_of(kind)}) for kind in INSTRUCTIONS
}
_VALUES: dict[type[Instruction], dict[str, Any]] = {
    kind: {field.name: field.default for field in fields(cast(Any, kind))} for kind in INSTRUCTIONS
}
"""The fields of an instruction, in the order of its class, with their defaults; MISSING: it has none."""


def assemble(text: str) -> list[Instruction]:
    """The instructions of a text; an error is an InputError with the number of its line."""
    instructions = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            try:
                instructions.append(_instruction(words))
            except InputError as error:
                raise InputError(f"line {number}: {error}") from None
    return instructions


def disassemble(instructions: Sequence[Instruction]) -> str:
    """One line per instruction; fields at their default are left out."""
    return "".join(_line(instruction) + "\n" for instruction in instructions)


def _instruction(words: list[str]) -> Instruction:
    name, *pairs = words
    if name not in _NAMES:
        raise InputError(f"an instruction must be one of {', '.join(_NAMES)}, not {name!r}")
    kind, table = _NAMES[name]
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in table:
            raise InputError(
                f"{name}: fields must be FIELD=VALUE with FIELD one of {', '.join(table)}, not {pair!r}"
            )
        if key in values:
            raise InputError(f"{name}: {key} is given twice")
        values[key] = _value(name, table[key], value)
    if missing := [key for key in table if key not in values and _VALUES[kind][key] is MISSING]:
        raise InputError(f"{name}: missing {', '.join(missing)}")
    instruction: Instruction = kind(**values)
    encode(instruction)  # refuses what has no encoding
    return instruction


def _value(name: str, field: Field, text: str) -> Any:
    if issubclass(field.type, IntEnum):
        members = {
            member.name.lower(): member for member in field.type if field.low <= member <= field.high
        }
        if text not in members:
            raise InputError(f"{name}: {field.name} must be one of {', '.join(members)}, not {text!r}")
        return members[text]
    try:
        number = int(text, 0)
        field.pack(number)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except ValueError:
        raise InputError(f"{name}: {field.name} must be {field.wanted()}, not {text!r}") from None
    return bool(number) if field.type is bool else number


def operands(instruction: Instruction) -> dict[str, str]:
    """The fields as the text has them; those at their default are left out."""
    known = _NAMES[instruction.mnemonic()][1]
    found = {}
    for name, default in _VALUES[type(instruction)].items():
        value = getattr(instruction, name)
        # A layout is always told: it says what y means.
        if isinstance(value, IntEnum) or value != default:
            found[name] = _text(known[name], value)
    return found


def _line(instruction: Instruction) -> str:
    texts = (f"{key}={text}" for key, text in operands(instruction).items())
    return " ".join([instruction.mnemonic(), *texts])


def _text(field: Field, value: Any) -> str:
    if isinstance(value, IntEnum):
        return value.name.lower()
    return hex(value) if field.address else str(int(value))
