"""Which instruction carries out an operator, and what follows from its class."""

from __future__ import annotations

from intarsia.arch.isa import INSTRUCTIONS, Instruction, Lookup, Matmul
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.record import Record
from intarsia.arch.machine import KEYS
from intarsia.model.integer.graph import Node

_KINDS: dict[str, type[Instruction]] = {kind.mnemonic(): kind for kind in INSTRUCTIONS} | {"table": Lookup}
"""Instructions by the operators that they carry out; those of products are not in it."""
_FIELD_KEYS = {field: key for key, field, _ in KEYS}


def parameters_of(op: str) -> Record | None:
    """The parameter word of the instruction for an operator, which is MATMUL for products."""
    return _KINDS.get(op, Matmul).parameter()


def has_word(node: Node) -> bool:
    """Whether a node has the scalars of a parameter word; what only moves data has none."""
    record = parameters_of(node.op)
    return record is not None and all(scalar.name in node.attributes for scalar in record.scalars)


def length_key(op: str) -> str:
    """The machine's key that bounds how long the rows of an operator may be; empty where none does."""
    for limit in _KINDS[op].limits if op in _KINDS else ():
        if isinstance(limit, Limit) and limit.field == "length" and isinstance(limit.high, str):
            return _FIELD_KEYS[limit.high]
    return ""
