"""The tables of docs/machine.md, sections 4 to 6, made from what the instructions declare.

.venv/bin/python -m tools.machine_page
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from intarsia.arch.duration import ACCESS, ISSUE
from intarsia.arch.isa import INSTRUCTIONS, Instruction, Space, Wait
from intarsia.arch.isa.field import Field
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.isa.layernorm import CHANNEL
from intarsia.arch.isa.limit import Apart, Limit
from intarsia.arch.isa.matmul import OUTPUT
from intarsia.arch.isa.operand import Extent, Operand, When
from intarsia.arch.isa.record import Record, Scalar
from intarsia.arch.legal import NAMES
from intarsia.arch.machine import KEYS
from tools.page import renew, with_table

PAGE = Path("docs/machine.md")
RECORDS = {"an output of a packed y": OUTPUT, "a channel of a slot": CHANNEL}
"""Records that are no parameter words."""


def fields() -> Iterator[list[str]]:
    """Where every field stands."""
    yield ["opcode", "name", "unit", "w0", *(f"w{k}" for k in range(1, 8))]
    for kind in INSTRUCTIONS:
        words: list[list[Field]] = [[] for _ in range(8)]
        for field in fields_of(kind):
            words[field.word].append(field)
        words = [sorted(word, key=lambda field: field.shift) for word in words]
        flags = [f"{_bits(field.shift, field.bits)} `{field.name}`" for field in words[0]]
        flags += [
            f"{_bits(field.shift, field.bits)} {int(value)} ({value.name.lower()})"
            for field, value in kind.fixed.values()
        ]
        others = [r"\|".join(f"`{field.name}`" for field in word) for word in words[1:]]
        yield [str(kind.opcode), _name(kind), _unit(kind), ", ".join(flags), *others]


def ranges() -> Iterator[list[str]]:
    """What fields may hold."""
    yield ["values", "fields"]
    found: dict[str, list[str]] = {}
    for kind in INSTRUCTIONS:
        for field in fields_of(kind):
            found.setdefault(_values(field), []).append(f"`{field.name}`")
    for values, names in found.items():
        yield [values, ", ".join(dict.fromkeys(names))]


def operands() -> Iterator[list[str]]:
    """What instructions read and write."""
    yield ["instruction", "operand", "memory", "elements", "shape", "distances"]
    for kind in INSTRUCTIONS:
        for number, one in enumerate(kind.operands):
            name = f"`{one.name}`" + ("" if one.when is None else f" where {_when(one.when)}")
            if isinstance(one.space, Space):
                memory = NAMES[one.space]
            else:
                memory = f"that of `{one.space}`"
            loops = [of for of in (one.blocks, one.rows, one.columns) if of is not None]
            shape = f"[{', '.join(map(_extent, loops))}]"
            distances = ", ".join(f"`{of}`" for of in (one.block_stride, one.stride) if of)
            yield [
                "" if number else _name(kind),
                name + (", written" if one.write else ""),
                memory + (f", at multiples of {16}" if one.aligned else ""),
                _elements(one),
                shape,
                distances,
            ]


def limits() -> Iterator[list[str]]:
    """What the machine, or several fields, forbid."""
    yield ["instruction", "must hold"]
    for kind in INSTRUCTIONS:
        sentences = [_limit(limit) for limit in kind.limits]
        if sentences:
            yield [_name(kind), "; ".join(sentences)]


def parameters() -> Iterator[list[str]]:
    """The scalars of parameter words and other records."""
    yield ["of", "scalar", "bytes", "type", "values"]
    words = {_name(kind): record for kind in INSTRUCTIONS if (record := kind.parameter())}
    for name, record in {**words, **RECORDS}.items():
        for number, scalar in enumerate(record.scalars):
            last = scalar.first + scalar.bits // 8 - 1
            places = str(scalar.first) if last == scalar.first else f"{scalar.first}-{last}"
            of = "" if number else name
            yield [of, f"`{scalar.name}`", places, scalar.type, _allowed(scalar)]


def cycles() -> Iterator[list[str]]:
    """The closed forms, as they stand in the classes."""
    yield ["instruction", "cycles"]
    around = {0: "", ISSUE: "ISSUE + ", ISSUE + ACCESS: "FIXED + "}
    for kind in INSTRUCTIONS:
        yield [_name(kind), f"{around[kind.issue]}{ast.unparse(_closed_form(kind))}"]


def constants() -> Iterator[list[str]]:
    """What the closed forms name in capitals."""
    found = {"ISSUE": ISSUE, "ACCESS": ACCESS}
    for kind in INSTRUCTIONS:
        known = inspect.unwrap(kind.unit_cycles).__globals__
        names = (node.id for node in ast.walk(_closed_form(kind)) if isinstance(node, ast.Name))
        found |= {name: known[name] for name in names if name.isupper()}
    yield ["constant", "value"]
    for name, value in found.items():
        yield [name, str(value)]


TABLES: dict[str, Callable[[], Iterator[list[str]]]] = {
    "fields": fields,
    "ranges": ranges,
    "operands": operands,
    "limits": limits,
    "parameters": parameters,
    "cycles": cycles,
    "constants": constants,
}


def _name(kind: type[Instruction]) -> str:
    return kind.mnemonic().upper()


def _unit(kind: type[Instruction]) -> str:
    return "any" if kind is Wait or kind.queue is None else kind.queue.name.lower()


def _bits(first: int, bits: int) -> str:
    return str(first) if bits == 1 else f"{first}-{first + bits - 1}"


def _values(field: Field) -> str:
    if field.type is not int and field.type is not bool:
        members = [one for one in field.type if field.low <= one <= field.high]  # type: ignore[attr-defined]
        return ", ".join(f"{int(one)} {one.name.lower()}" for one in members)
    steps = f", multiples of {field.scale}" if field.scale > 1 else ""
    return f"{_number(field.low)}..{_number(field.high)}{steps}"


def _when(when: When) -> str:
    if isinstance(when.values[0], bool):
        return f"`{when.field}`" if when.values[0] else f"not `{when.field}`"
    return f"`{when.field}` is {' or '.join(one.name.lower() for one in when.values)}"


def _extent(of: Extent) -> str:
    if isinstance(of, tuple):
        return " * ".join(f"`{name}`" for name in of)
    if callable(of):
        return "whole tiles"
    return f"`{of}`" if isinstance(of, str) else str(of)


def _elements(one: Operand) -> str:
    if isinstance(one.element, Record):
        return f"{one.element.size} bytes (section 5)"
    element = one.element
    return element.plain + (f", {element.other} where `{element.flag}`" if element.flag else "")


def _limit(limit: Limit | Apart) -> str:
    only = "" if limit.when is None else f", where {_when(limit.when)}"
    if isinstance(limit, Apart):
        return f"`{limit.target}` is not `{limit.source}`{only}"
    if isinstance(limit.high, str):
        high = next(key for key, field, _ in KEYS if field == limit.high)
        return f"`{limit.field}` is at most `{high}`{only}"
    wanted = f"at least {limit.low}" if limit.low > 1 else f"at most {limit.high}"
    return f"`{limit.field}` is {wanted}{only}"


def _allowed(scalar: Scalar) -> str:
    if scalar.names:
        return ", ".join(f"{number} `{name}`" for number, name in enumerate(scalar.names))
    return f"{_number(scalar.low)}..{_number(scalar.high)}" if scalar.limited else ""


def _number(value: int) -> str:
    """Large powers of two, and what is one less, as such."""
    exponent = abs(value).bit_length() - 1
    sign = "-" if value < 0 else ""
    if exponent >= 16 and abs(value) == 1 << exponent:
        return f"{sign}2^{exponent}"
    return f"2^{exponent + 1} - 1" if exponent >= 24 else str(value)


def _closed_form(kind: type[Instruction]) -> ast.expr:
    """What `unit_cycles` of an instruction returns."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind.unit_cycles)))
    (found,) = (node.value for node in ast.walk(tree) if isinstance(node, ast.Return))
    assert found is not None
    return found


def table(rows: Iterator[list[str]]) -> str:
    """Rows in Markdown, the first as the head."""
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |".replace("  ", " ") for line in lines)


def renewed(page: str) -> str:
    """The page with the tables of today."""
    for name, rows in TABLES.items():
        page = with_table(page, name, table(rows()))
    return page


def main() -> None:
    """Puts the tables into the page."""
    renew(PAGE, renewed)


if __name__ == "__main__":
    main()
