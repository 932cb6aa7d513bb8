"""All instructions, in the order of their opcodes."""

from __future__ import annotations

from intarsia.arch.isa.argmax import Argmax
from intarsia.arch.isa.enums import Unit
from intarsia.arch.isa.expand import Expand
from intarsia.arch.isa.field import Field
from intarsia.arch.isa.gelu import Gelu
from intarsia.arch.isa.instruction import Instruction, fields_of
from intarsia.arch.isa.layernorm import Layernorm
from intarsia.arch.isa.load import Load
from intarsia.arch.isa.lookup import Lookup
from intarsia.arch.isa.matmul import Matmul
from intarsia.arch.isa.residual import Residual
from intarsia.arch.isa.shiftmax import Shiftmax
from intarsia.arch.isa.store import Store
from intarsia.arch.isa.wait import Wait

INSTRUCTIONS: tuple[type[Instruction], ...] = (
    Wait, Load, Store, Matmul, Shiftmax, Layernorm, Gelu, Residual, Lookup, Argmax, Expand,
)  # fmt: skip

OPCODES: dict[int, tuple[type[Instruction], tuple[Field, ...]]] = {
    kind.opcode: (kind, fields_of(kind)) for kind in INSTRUCTIONS
}
"""By opcode: the class and its fields, in the order in which they are checked."""
UNIT: dict[type[Instruction], Unit] = {kind: kind.queue for kind in INSTRUCTIONS if kind.queue is not None}
"""The unit that executes an instruction; a WAIT stands in any queue."""
