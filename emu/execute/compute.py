"""Carries one instruction out: reads its operands where they are, computes, writes the target."""

from __future__ import annotations

from typing import Any

from intarsia.arch.isa import Instruction, Space
from intarsia.arch.isa.operand import Operand
from intarsia.emu.execute.memory import Memories


def compute(memories: Memories, op: Instruction, base: int = 0) -> None:
    """One instruction that `check_instruction` accepts; `base`: the DRAM base register.

    A parameter word or a constant out of its range raises InstructionError.
    """
    of: dict[str, Any] = {}
    target = None
    for operand in op.present():
        view = _view(memories, op, operand, base)
        if operand.write:
            target = view
        elif operand.space is Space.PARAMETERS:
            of |= _scalars(op, view)
        else:
            of[operand.name] = view
    assert target is not None
    target[:] = op.compute(memories.machine, of)


def _view(memories: Memories, op: Instruction, operand: Operand, base: int) -> Any:
    machine = memories.machine
    place, shape = operand.place(op, machine, base), operand.shape(op, machine)
    return memories.view(operand.memory(op), place, shape, operand.strides(op), operand.dtype(op))


def _scalars(op: Instruction, word: Any) -> dict[str, int]:
    """The parameter word as Python integers."""
    record = op.parameter()
    assert record is not None
    values = dict(zip((scalar.name for scalar in record.scalars), word[0].item(), strict=True))
    return dict(record.checked(values))
