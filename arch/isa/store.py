"""STORE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Space, Unit
from intarsia.arch.isa.transfer import Transfer, ends


@dataclass(frozen=True, slots=True)
class Store(Transfer):
    """Scratchpad to DRAM: count1 * count2 pieces of `size` bytes."""

    dram: Annotated[int, field.address(1)]
    address: Annotated[int, field.address(2)]
    size: Annotated[int, field.size(3)]
    count1: Annotated[int, field.count(4, 0)] = 1
    count2: Annotated[int, field.count(4, 16)] = 1
    dram_stride1: Annotated[int, field.distance(5)] = 0
    dram_stride2: Annotated[int, field.distance(6)] = 0
    stride1: Annotated[int, field.distance(7, 0, 16)] = 0
    stride2: Annotated[int, field.distance(7, 16, 16)] = 0
    based: Annotated[bool, field.flag(3)] = False

    opcode: ClassVar = 3
    queue: ClassVar = Unit.STORE
    fixed: ClassVar = {"space": (field.choice(0, 8, 3, 0, 7), Space.SCRATCHPAD)}
    operands: ClassVar = ends(load=False, space=Space.SCRATCHPAD)
