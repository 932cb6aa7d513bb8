"""A program around one instruction, legal or not, and instructions that are."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import (
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
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.machine import PARAMETERS_BYTES, TABLE_BYTES, Machine
from intarsia.arch.program import Program, Region, Segment

MACHINE = Machine.load("tests/hw/whole.toml")
BANK = MACHINE.bank_bytes
END = MACHINE.scratchpad_bytes
SIZES = {
    Space.SCRATCHPAD: END,
    Space.STATIONARY: MACHINE.stationary_bytes,
    Space.PARAMETERS: PARAMETERS_BYTES,
    Space.CONSTANTS: MACHINE.constants_bytes,
    Space.TABLE: TABLE_BYTES,
}
SPARE = sum(SIZES.values())
"""DRAM that STOREs write: behind what the memories on the chip begin with."""
DUMP = SPARE + BANK
DRAM_BYTES = DUMP + END
ITERATIONS = 2
FAR = 1 << 24


@dataclass(frozen=True)
class Case:
    """An instruction, what some memories hold, and the error that it ends with, or None.

    words: what stands in the program instead, where no instruction of the emulator is like it.
    """

    name: str
    op: Instruction
    code: int | None = None
    unit: Unit | None = None
    held: tuple[tuple[Space, int, bytes], ...] = ()
    iteration: int = 0
    base_step: int = 0
    words: dict[int, int] = field(default_factory=dict)

    def program(self) -> tuple[Program, NDArray[np.uint8]]:
        """Fills the memories, carries the instruction out in two iterations, stores the scratchpad."""
        rng = np.random.default_rng(len(self.name))
        dram = rng.integers(0, 256, DRAM_BYTES, dtype=np.uint8)
        fill: list[Instruction] = []
        at = 0
        for space, size in SIZES.items():
            if space in (Space.STATIONARY, Space.PARAMETERS, Space.CONSTANTS):
                dram[at : at + size] = 0  # shifts, and B
            for where, first, data in (*PARAMETERS, *self.held):
                if where is space:
                    dram[at + first : at + first + len(data)] = np.frombuffer(data, np.uint8)
            fill.append(Load(at, space, 0, size))
            at += size
        unit = self.place
        queue = [Wait(Unit.LOAD, 0), self.op]
        segments = (
            _segment("fill", {Unit.LOAD: fill}),
            _segment("middle", {unit: queue}, repeat=ITERATIONS, base_step=self.base_step),
            _segment("dump", {Unit.STORE: [Store(DUMP, 0, END)]}),
        )
        regions = (
            Region("weights", 0, SPARE, "weights"),
            Region("stored", SPARE, BANK, "activations"),
            Region("dump", DUMP, END, "labels"),
        )
        return Program(MACHINE, segments, regions, DRAM_BYTES, "uint8"), dram

    @property
    def place(self) -> Unit:
        """In whose queue the instruction stands."""
        if self.unit is not None:
            return self.unit
        return Unit.GELU if isinstance(self.op, Wait) else UNIT[type(self.op)]

    def encoded(self) -> bytes:
        """The instruction in bits, whatever its fields hold."""
        opcode = self.op.opcode
        words = [opcode, 0, 0, 0, 0, 0, 0, 0]
        if isinstance(self.op, Store):
            words[0] |= Space.SCRATCHPAD << 8
        for one in fields_of(type(self.op)):
            value = int(getattr(self.op, one.name)) // one.scale
            words[one.word] |= (value & (1 << one.bits) - 1) << one.shift
        for number, value in self.words.items():
            words[number] = value
        return struct.pack("<8I", *words)


def _segment(name: str, queues: dict[Unit, list[Any]], repeat: int = 1, base_step: int = 0) -> Segment:
    lists = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple(name for op in queue if not isinstance(op, Wait)) for queue in lists)
    return Segment(name, lists, labels, repeat, 0, base_step)


def word(index: int, layout: str, *values: int) -> tuple[Space, int, bytes]:
    """A parameter word."""
    return Space.PARAMETERS, 16 * index, struct.pack(layout, *values).ljust(16, b"\0")


MATMUL_WORD, SHIFTMAX_WORD, NORM_WORD, GELU_WORD, RESIDUAL_WORD = range(5)
MATMUL, SHIFTMAX, NORM, GELU, RESIDUAL = "<iB", "<IBB", "<iB", "<iBBHI", "<iB3xiB"
PARAMETERS = (
    word(MATMUL_WORD, MATMUL, 1 << 20, 26),
    word(SHIFTMAX_WORD, SHIFTMAX, 20, 15, 31),
    word(NORM_WORD, NORM, 0, 30),
    word(GELU_WORD, GELU, 1 << 20, 30, 1, 0, 30),
    word(RESIDUAL_WORD, RESIDUAL, 1 << 20, 20, 1 << 19, 20),
    word(255, MATMUL, 1 << 20, 26),
)
PACKED = Matmul(0, 0, 8 * BANK, 5, 9, 9, 16, 0, 32, out16=True)
LANE = replace(PACKED, y=4 * BANK, y_stride=16, layout=Layout.LANE_MAJOR, param=MATMUL_WORD)
DEEP = replace(LANE, layout=Layout.DEPTH_MAJOR)
S8 = Shiftmax(0, 4 * BANK, 3, 20, 32, 48, SHIFTMAX_WORD, True)
S16 = replace(S8, out8=False)
N8 = Layernorm(0, 0, 4 * BANK, 3, 20, 48, 48, NORM_WORD)
G = Gelu(0, 4 * BANK, 3, 20, 32, 32, GELU_WORD)
R = Residual(0, 4 * BANK, 8 * BANK, 3, 20, 48, 48, 48, RESIDUAL_WORD)
LOOK = Lookup(0, 4 * BANK, 3, 20, 32, 32)
ARG = Argmax(0, 4 * BANK + 3, 3, 20, 48)
WIDE_ARG = replace(ARG, wide=True)
EXP = Expand(5, 4 * BANK, 3, 7, 16, 32, 2)
WIDE_EXP = replace(EXP, wide=True)
IN = Load(0, Space.SCRATCHPAD, BANK, 100, 2, 2, 300, 1000, 128, 512)
OUT = Store(SPARE, BANK, 100, 2, 2, 300, 1000, 128, 512)
