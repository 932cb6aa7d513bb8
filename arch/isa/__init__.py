"""The instruction set: one class per instruction, the 32-byte encoding, assembly text."""

from intarsia.arch.isa.argmax import Argmax
from intarsia.arch.isa.assembly import assemble, disassemble, operands
from intarsia.arch.isa.encoding import INSTRUCTION_BYTES, decode, encode
from intarsia.arch.isa.enums import Layout, Space, Unit
from intarsia.arch.isa.expand import Expand
from intarsia.arch.isa.gelu import Gelu
from intarsia.arch.isa.instruction import Instruction
from intarsia.arch.isa.layernorm import Layernorm
from intarsia.arch.isa.load import Load
from intarsia.arch.isa.lookup import Lookup
from intarsia.arch.isa.matmul import Matmul
from intarsia.arch.isa.registry import INSTRUCTIONS, UNIT
from intarsia.arch.isa.residual import Residual
from intarsia.arch.isa.shiftmax import Shiftmax
from intarsia.arch.isa.store import Store
from intarsia.arch.isa.wait import Wait

__all__ = [
    "INSTRUCTIONS",
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
