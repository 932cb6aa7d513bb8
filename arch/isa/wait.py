"""WAIT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from intarsia.arch.duration import WAIT
from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Unit
from intarsia.arch.isa.instruction import Instruction
from intarsia.arch.machine import Machine


@dataclass(frozen=True, slots=True)
class Wait(Instruction):
    """Blocks its queue until `unit` has completed iteration * total + `count` instructions."""

    unit: Annotated[Unit, field.choice(1, 0, 32, Unit.LOAD, Unit.ELEMENTWISE)]
    count: Annotated[int, field.signed(2)]

    opcode: ClassVar = 1
    queue: ClassVar = None
    issue: ClassVar = 0

    @staticmethod
    def unit_cycles() -> int:
        return WAIT

    def quantities(self, machine: Machine) -> tuple[int, ...]:
        return ()
