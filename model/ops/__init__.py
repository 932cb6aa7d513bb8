"""The operators by name: every module of this folder is one, and its class is found here.

`docs/adding-an-operator.md` walks through one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node
from intarsia.model.integer.operators import Operator


def _operator(name: str) -> Operator:
    module = import_module(f"{__name__}.{name}")
    (kind,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Operator) and value.__module__ == module.__name__
    )
    return kind()


OPERATORS: Mapping[str, Operator] = {
    module.name: _operator(module.name) for module in iter_modules(__path__)
}


def operator_of(node: Node) -> Operator:
    """The operator of `node`; InputError where there is none of that name."""
    if node.op not in OPERATORS:
        raise InputError(f"{node.name}: operator {node.op!r} is unknown; known: {', '.join(OPERATORS)}")
    return OPERATORS[node.op]
