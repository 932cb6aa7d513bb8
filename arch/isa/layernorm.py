"""LAYERNORM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from intarsia.arch.duration import ROOT
from intarsia.arch.isa import field
from intarsia.arch.isa.enums import Space, Unit
from intarsia.arch.isa.instruction import Cost, RowInstruction
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.operand import INT16, Element, Operand, matrix, parameter_word
from intarsia.arch.isa.record import Record, Scalar, multiplier, shift
from intarsia.arch.machine import CONSTANT_SLOTS, ENTRY_BYTES, PARAMETER_BYTES, Machine
from intarsia.model.integer.constants import MAX_BIAS

LAYERNORM_PIPELINE = 78
"""With the mean, the root and the reciprocal, one after the other."""

CHANNEL = Record(
    ENTRY_BYTES,
    (
        multiplier("b", 0, (-(2**15), 2**15)),
        Scalar("B", 4, 64, -MAX_BIAS, MAX_BIAS, (-(2**44), 2**44)),
    ),
)
"""The row constants of one channel."""


@dataclass(frozen=True, slots=True)
class Layernorm(RowInstruction):
    """int16 [rows, length] to int8 or int16, with b and B of the slot of row constants."""

    source: Annotated[int, field.address(1)]
    slot: Annotated[int, field.entry(2, 0, 32, CONSTANT_SLOTS)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    source_stride: Annotated[int, field.stride(5, 0)]
    target_stride: Annotated[int, field.stride(5, 16)]
    param: Annotated[int, field.PARAM]
    out16: Annotated[bool, field.flag(0)] = False

    opcode: ClassVar = 6
    queue: ClassVar = Unit.LAYERNORM
    operands: ClassVar = (
        matrix("source", INT16),
        Operand(
            "channels", CHANNEL, "length", space=Space.CONSTANTS, address="slot", unit="slot_bytes",
            moved=("rows", "length"),
        ),
        parameter_word(Record(PARAMETER_BYTES, (shift("c", 4, 46),))),
        matrix("target", Element("int8", "out16", "int16"), write=True),
    )  # fmt: skip
    limits: ClassVar = (Limit("length", high="layernorm_length"),)
    in_place: ClassVar = True
    costs: ClassVar = (
        Cost("layernorm", 4, 2, ("rows", "length"), "two sums, bias, rounding; square, scale"),
    )
    lanes_key: ClassVar = "layernorm_lanes"

    @staticmethod
    def unit_cycles(rows: int, beats: int) -> int:
        """Sums and products of a row take a pass each; rows start a pass or a root apart."""
        return (rows - 1) * max(beats, ROOT) + 2 * beats + LAYERNORM_PIPELINE

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        from intarsia.model.integer import kernels

        channels = CHANNEL.checked(of["channels"])
        b, B = channels["b"].copy(), channels["B"].copy()
        source = np.ascontiguousarray(of["source"])
        return kernels.layernorm(source, b, B, of["c"], out_bits=16 if self.out16 else 8)
