"""The instruction set: classes, 32-byte encoding, assembly text."""

from intarsia.arch.isa.assembly import assemble, disassemble, operands
from intarsia.arch.isa.encoding import INSTRUCTION_BYTES, decode, encode
from intarsia.arch.isa.instructions import (
    UNIT,
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

__all__ = [
    "INSTRUCTION_BYTES",
    "UNIT",
    "Argmax",
    "Expand",
    "Gelu",
    "Instruction",
    "Layernorm",
    "Layout",
    "Load",
    "Lookup",
    "Matmul",
    "Residual",
    "Shiftmax",
    "Space",
    "Store",
    "Unit",
    "Wait",
    "assemble",
    "decode",
    "disassemble",
    "encode",
    "operands",
]
