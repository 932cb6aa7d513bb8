"""A small machine, programs for it, and a bench that runs one instruction on given data."""

import struct
from typing import Any

import numpy as np
import pytest

from intarsia.arch.isa import UNIT, Instruction, Load, Space, Store, Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Segment
from intarsia.emu.execute import MachineError, execute

MACHINE = Machine(
    name="small",
    clock_mhz=100,
    lanes=8,
    depth=4,
    accumulator_rows=64,
    shiftmax_lanes=4,
    layernorm_lanes=4,
    gelu_lanes=4,
    elementwise_lanes=4,
    banks=8,
    bank_kib=4,
    stationary_kib=16,
    memory_width=8,
    memory_latency=10,
)
BANK = MACHINE.bank_bytes


def segment(*instructions: Instruction, **options: Any) -> Segment:
    """A Wait goes to the unit of the instruction after it."""
    queues: list[list[Instruction]] = [[] for _ in Unit]
    held: list[Instruction] = []
    for op in instructions:
        held.append(op)
        if not isinstance(op, Wait):
            queues[UNIT[type(op)]].extend(held)
            held = []
    labels = tuple(tuple("" for op in queue if not isinstance(op, Wait)) for queue in queues)
    return Segment(options.pop("name", "s"), tuple(map(tuple, queues)), labels, **options)


def program(*segments: Segment, dram_bytes: int = 256) -> Program:
    return Program(MACHINE, segments, (), dram_bytes, "uint8")


class Bench:
    """Puts arrays into the memories of a machine, runs one instruction and reads a matrix back."""

    def __init__(self) -> None:
        self.dram = b""
        self.loads: list[Instruction] = []

    def put(self, space: Space, address: int, data: bytes) -> None:
        self.loads.append(Load(len(self.dram), space, address, len(data)))
        self.dram += data

    def matrix(self, address: int, stride: int, values: Any) -> None:
        for row, line in enumerate(values):
            self.put(Space.SCRATCHPAD, address + row * stride, np.ascontiguousarray(line).tobytes())

    def scalars(self, index: int, layout: str, *values: int) -> None:
        self.put(Space.PARAMETERS, 16 * index, struct.pack(layout, *values))

    def run(self, op: Instruction, address: int, stride: int, rows: int, columns: int, dtype: Any) -> Any:
        """The matrix after `op`; the bytes around its rows must be untouched."""
        size, start = MACHINE.scratchpad_bytes, len(self.dram)
        stages = segment(*self.loads), segment(op), segment(Store(start, 0, size))
        dram = np.frombuffer(self.dram + bytes(size), np.uint8)
        memory = execute(program(*stages, dram_bytes=dram.size), dram)[start:]
        before = execute(program(stages[0], stages[2], dram_bytes=dram.size), dram)[start:]
        width = columns * np.dtype(dtype).itemsize
        place = [address + row * stride for row in range(rows)]
        out = np.stack([memory[at : at + width] for at in place]).view(dtype)
        for at in place:
            memory[at : at + width] = before[at : at + width]
        assert (memory == before).all()
        return out


def random(shape: Any, dtype: Any, seed: int = 0) -> Any:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def stops(*instructions: Instruction, code: int, **options: Any) -> MachineError:
    with pytest.raises(MachineError) as caught:
        execute(program(segment(*instructions, **options)), np.full(256, 0xA5, np.uint8))
    assert caught.value.code == code
    return caught.value
