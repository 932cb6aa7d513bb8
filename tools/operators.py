"""The table of operators in docs/artifact.md, made from what they declare.

.venv/bin/python -m tools.operators
"""

from __future__ import annotations

import inspect
from pathlib import Path

from intarsia.model.integer.operators import Operator
from intarsia.model.integer.rules import Allowed
from intarsia.model.ops import OPERATORS
from tools.page import renew, with_table

PAGE = Path("docs/artifact.md")


def table() -> str:
    """A row per operator: what it computes, and what a node of its kind has."""
    rows = ["| op | computes | inputs | constants | attributes |", "|---|---|---|---|---|"]
    rows += [_row(operator) for operator in OPERATORS.values()]
    return "\n".join(rows)


def _row(operator: Operator) -> str:
    computes = (inspect.getdoc(operator) or "").partition("\n\n")[0].replace("\n", " ").removesuffix(".")
    inputs = [
        f"{' or '.join(what.dtypes)} {_shape(what.axes)}{f' (or `{what.instead}`)' * bool(what.instead)}"
        for what in operator.inputs
    ]
    constants = [
        f"`{role}` {what.dtype} {_shape(what.axes)}{' (optional)' * what.optional}{_within(what.values)}"
        for role, what in operator.constants.items()
    ]
    attributes = [f"`{key}`{_within(allowed)}" for key, allowed in operator.attributes.items()]
    cells = f"`{operator.name}`", computes, *map(", ".join, (inputs, constants, attributes))
    return "| " + " | ".join(cells) + " |"


def _shape(axes: str) -> str:
    return f"[{', '.join(axes.split())}]"


def _within(allowed: Allowed | None) -> str:
    if allowed is None:
        return ""
    if isinstance(allowed, tuple):
        return f" {' or '.join(map(str, allowed))}"
    low, high = allowed[0], allowed[-1]
    return f" +-({_number(high)})" if low == -high else f" {_number(low)}..{_number(high)}"


def _number(value: int) -> str:
    """Large ones by the power of two that they are, or are one below."""
    bits = value.bit_length()
    if bits <= 16:
        return str(value)
    return f"2^{bits - 1}" if value == 1 << (bits - 1) else f"2^{bits} - {(1 << bits) - value}"


def renewed(page: str) -> str:
    """The page with the table of today's operators."""
    return with_table(page, "operators", table())


def main() -> None:
    """Puts the table into the page."""
    renew(PAGE, renewed)


if __name__ == "__main__":
    main()
