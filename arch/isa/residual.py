"""RESIDUAL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Unit
from intarsia.arch.isa.instruction import Cost, RowInstruction
from intarsia.arch.isa.operand import INT16, matrix, parameter_word
from intarsia.arch.isa.record import Record, multiplier, shift
from intarsia.arch.machine import PARAMETER_BYTES, Machine

RESIDUAL_PIPELINE = 10


@dataclass(frozen=True, slots=True)
class Residual(RowInstruction):
    """Sum of two int16 [rows, length], each rescaled, to int16."""

    x: Annotated[int, field.address(1)]
    identity: Annotated[int, field.address(2)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    x_stride: Annotated[int, field.stride(5, 0)]
    identity_stride: Annotated[int, field.stride(6, 0)]
    target_stride: Annotated[int, field.stride(5, 16)]
    param: Annotated[int, field.PARAM]

    opcode: ClassVar = 8
    queue: ClassVar = Unit.ELEMENTWISE
    operands: ClassVar = (
        matrix("x", INT16),
        matrix("identity", INT16),
        parameter_word(
            Record(
                PARAMETER_BYTES,
                (multiplier("b1", 0), shift("c1", 4, 40), multiplier("b2", 8), shift("c2", 12, 40)),
            )
        ),
        matrix("target", INT16, write=True),
    )
    in_place: ClassVar = True
    costs: ClassVar = (
        Cost("residual", 3, 2, ("rows", "length"), "two roundings, sum; two dyadic multipliers"),
    )
    lanes_key: ClassVar = "elementwise_lanes"

    @staticmethod
    def unit_cycles(rows: int, beats: int) -> int:
        """One pass."""
        return rows * beats + RESIDUAL_PIPELINE

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        from intarsia.model.integer import kernels

        x, identity = np.ascontiguousarray(of["x"]), np.ascontiguousarray(of["identity"])
        return kernels.residual(x, of["b1"], of["c1"], identity, of["b2"], of["c2"])
