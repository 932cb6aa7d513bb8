"""SHIFTMAX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from intarsia.arch.duration import DIVIDE
from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Unit
from intarsia.arch.isa.instruction import Cost, RowInstruction
from intarsia.arch.isa.limit import Apart, Limit
from intarsia.arch.isa.operand import INT8, Element, matrix, parameter_word, unless
from intarsia.arch.isa.record import Record, Scalar
from intarsia.arch.machine import PARAMETER_BYTES, Machine
from intarsia.model.integer.constants import MAX_I0

SHIFTMAX_PIPELINE = 29


@dataclass(frozen=True, slots=True)
class Shiftmax(RowInstruction):
    """Softmax by shifts: int8 [rows, length] to int16 or int8."""

    source: Annotated[int, field.address(1)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    source_stride: Annotated[int, field.stride(5, 0)]
    target_stride: Annotated[int, field.stride(5, 16)]
    param: Annotated[int, field.PARAM]
    out8: Annotated[bool, field.flag(0)] = False

    opcode: ClassVar = 5
    queue: ClassVar = Unit.SHIFTMAX
    operands: ClassVar = (
        matrix("source", INT8),
        parameter_word(
            Record(
                PARAMETER_BYTES,
                (
                    Scalar("i0", 0, 32, 1, MAX_I0, usual=(1, 400)),
                    Scalar("n", 4, 8, 1, 31, usual=(5, 31)),
                    Scalar("reciprocal_bits", 5, 8, 15, 46, text="reciprocal bits"),
                ),
            )
        ),
        matrix("target", Element("int16", "out8", "int8"), write=True),
    )
    limits: ClassVar = (Limit("length", high="row_length"), Apart("source", "target", unless("out8")))
    in_place: ClassVar = True
    costs: ClassVar = (
        Cost(
            "shiftmax", 6, 1, ("rows", "length"),
            "difference, two shifted terms of 1/ln 2, exponent, sum, rounding; the reciprocal",
        ),
    )  # fmt: skip
    lanes_key: ClassVar = "shiftmax_lanes"

    @staticmethod
    def unit_cycles(rows: int, beats: int) -> int:
        """Maximum, exponentials, products: a pass each. Rows start a pass or a quotient apart."""
        return (rows - 1) * max(beats, DIVIDE) + 3 * beats + DIVIDE + SHIFTMAX_PIPELINE

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        from intarsia.model.integer import kernels

        options = {"n": of["n"], "reciprocal_bits": of["reciprocal_bits"]}
        source = np.ascontiguousarray(of["source"])
        return kernels.shiftmax_rows(source, of["i0"], out_bits=8 if self.out8 else 16, **options)
