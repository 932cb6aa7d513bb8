"""GELU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from intarsia.arch.duration import DIVIDE
from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Unit
from intarsia.arch.isa.instruction import Cost, RowInstruction
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.operand import INT8, matrix, parameter_word
from intarsia.arch.isa.record import Record, Scalar, multiplier, shift
from intarsia.arch.machine import PARAMETER_BYTES, Machine
from intarsia.model.integer.constants import GELU_FORMS, MAX_I0

GELU_PIPELINE = 28
FORMS = tuple(GELU_FORMS)


@dataclass(frozen=True, slots=True)
class Gelu(RowInstruction):
    """int8 [rows, length] to int8, in one of three forms."""

    source: Annotated[int, field.address(1)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    source_stride: Annotated[int, field.stride(5, 0)]
    target_stride: Annotated[int, field.stride(5, 16)]
    param: Annotated[int, field.PARAM]

    opcode: ClassVar = 7
    queue: ClassVar = Unit.GELU
    operands: ClassVar = (
        matrix("source", INT8),
        parameter_word(
            Record(
                PARAMETER_BYTES,
                (
                    multiplier("b", 0),
                    shift("c", 4, 45),
                    Scalar("form", 5, 8, 0, len(FORMS) - 1, names=FORMS),
                    Scalar("i0", 8, 32, 1, MAX_I0, usual=(1, 400)),
                ),
            )
        ),
        matrix("target", INT8, write=True),
    )
    limits: ClassVar = (Limit("length", high="row_length"),)
    in_place: ClassVar = True
    costs: ClassVar = (
        Cost(
            "gelu", 24, 2, ("rows", "length"),
            "exponential (6), sum, division in 16 steps, rounding; product, requantization",
        ),
    )  # fmt: skip
    lanes_key: ClassVar = "gelu_lanes"
    widest: ClassVar = 1

    @staticmethod
    def unit_cycles(rows: int, beats: int) -> int:
        """Maximum and products of a row take a pass each."""
        return (rows + 1) * beats + DIVIDE + GELU_PIPELINE

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        from intarsia.model.integer import kernels
        from intarsia.model.integer.graph import Node
        from intarsia.model.ops.gelu import gelu_table

        attributes = {"form": FORMS[of["form"]], "i0": of["i0"], "b": of["b"], "c": of["c"]}
        table = gelu_table(Node("gelu", "gelu", (), {}, attributes))
        look = kernels.lookup if table.ndim == 1 else kernels.lookup_rows
        return look(np.ascontiguousarray(of["source"]), table)
