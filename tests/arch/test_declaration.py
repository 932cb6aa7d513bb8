"""An instruction that does not exist: everything follows from its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator

from intarsia.arch.access import Access, accesses
from intarsia.arch.duration import ACCESS, ISSUE, cycles
from intarsia.arch.isa import INSTRUCTIONS, Space, Unit, field
from intarsia.arch.isa.instruction import Cost, RowInstruction, fields_of
from intarsia.arch.isa.limit import Apart, Limit
from intarsia.arch.isa.operand import INT8, Element, matrix, parameter_word, unless
from intarsia.arch.isa.record import Record, Scalar
from intarsia.arch.legal import InstructionError, check_instruction, may_be_in_place
from intarsia.arch.machine import PARAMETER_BYTES, Machine
from intarsia.arch.random_instruction import Chip, Maker
from intarsia.emu.execute.compute import compute
from intarsia.emu.execute.memory import Memories
from intarsia.emu.traffic import instruction_bytes
from intarsia.hw.interfaces.instruction import assembled, limit_faults
from tests.arch.machines import MACHINE

PIPELINE = 5


@dataclass(frozen=True, slots=True)
class Clip(RowInstruction):
    """int8 [rows, length], at most `top`, to int16 or int8."""

    source: Annotated[int, field.address(1)]
    target: Annotated[int, field.address(3)]
    rows: Annotated[int, field.count(4, 0)]
    length: Annotated[int, field.count(4, 16)]
    source_stride: Annotated[int, field.stride(5, 0)]
    target_stride: Annotated[int, field.stride(5, 16)]
    param: Annotated[int, field.PARAM]
    out8: Annotated[bool, field.flag(0)] = False

    opcode: ClassVar = 12
    queue: ClassVar = Unit.GELU
    operands: ClassVar = (
        matrix("source", INT8),
        parameter_word(Record(PARAMETER_BYTES, (Scalar("top", 2, 8, -100, 100),))),
        matrix("target", Element("int16", "out8", "int8"), write=True),
    )
    limits: ClassVar = (Limit("length", high="row_length"), Apart("source", "target", unless("out8")))
    in_place: ClassVar = True
    costs: ClassVar = (Cost("clip", 1, 0, ("rows", "length"), "comparison"),)
    lanes_key: ClassVar = "gelu_lanes"

    @staticmethod
    def unit_cycles(rows: int, beats: int) -> int:
        return rows * beats + PIPELINE

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        return np.minimum(of["source"], of["top"])


CLIP = Clip(0, 4096, 3, 50, 64, 112, 7)


def test_fields_have_places_and_names() -> None:
    assert [one.name for one in fields_of(Clip)][-1] == "param"
    assert next(one for one in fields_of(Clip) if one.name == "source_stride").scale == 16


def test_accesses_and_traffic() -> None:
    assert accesses(CLIP, MACHINE) == (
        Access(Space.SCRATCHPAD, False, 0, 50, 3, 64),
        Access(Space.PARAMETERS, False, 7 * 16, 16),
        Access(Space.SCRATCHPAD, True, 4096, 100, 3, 112),
    )
    assert instruction_bytes(CLIP, MACHINE) == {
        ("scratchpad", "activations", "read"): 150,
        ("scratchpad", "activations", "write"): 300,
        ("constants", "constants", "read"): 16,
    }


def test_cycles_and_work() -> None:
    assert cycles(CLIP, MACHINE) == ISSUE + ACCESS + 3 * 4 + PIPELINE
    assert CLIP.work(MACHINE) == {"clip": 150}


@pytest.mark.parametrize(
    ("op", "sentence"),
    [
        (replace(CLIP, source=8), "source must be a multiple of 16, not 0x8"),
        (replace(CLIP, length=9000), "length must be in 1..8192, not 9000"),
        (
            replace(CLIP, target=0),
            "target must be another address than the source's for 16 bits, not 0x0",
        ),
        (replace(CLIP, rows=0), "rows must be an integer in 1..65535, not 0"),
        (replace(CLIP, target=MACHINE.scratchpad_bytes - 112), "are not all inside the scratchpad"),
    ],
)
def test_checks(op: Clip, sentence: str) -> None:
    with pytest.raises(InstructionError, match=sentence):
        check_instruction(op, MACHINE, 64)


def test_in_place_where_elements_are_as_wide() -> None:
    assert not may_be_in_place(CLIP)
    assert may_be_in_place(replace(CLIP, out8=True))


@pytest.mark.parametrize("top", [5, 101])
def test_the_emulator_carries_it_out(top: int) -> None:
    memories = Memories(MACHINE, np.zeros(64, np.uint8))
    memories.spaces[Space.PARAMETERS][7 * 16 + 2] = top
    source = memories.view(Space.SCRATCHPAD, 0, (3, 50), (64,), np.int8).copy()
    if top > 100:
        with pytest.raises(InstructionError, match="^top must be in -100..100, not 101$"):
            compute(memories, CLIP)
        return
    compute(memories, CLIP)
    assert np.array_equal(
        memories.view(Space.SCRATCHPAD, 4096, (3, 50), (112,), np.int16), np.minimum(source, top)
    )


def test_random_ones_are_legal() -> None:
    chip = Chip(MACHINE, np.random.default_rng(1))
    maker = Maker(chip, (0, 0))
    made = [maker.make(Clip) for _ in range(50)]
    assert {one.out8 for one in made if isinstance(one, Clip)} == {False, True}
    assert len({(one.rows, one.length) for one in made if isinstance(one, Clip)}) > 40
    memories = Memories(MACHINE, np.zeros(64, np.uint8))
    memories.spaces[Space.PARAMETERS][:] = chip.spaces[Space.PARAMETERS]
    for one in made:
        assert one is not None
        check_instruction(one, MACHINE, 64)
        compute(memories, one)


def test_the_hardware_refuses_the_same() -> None:
    ops = [CLIP, replace(CLIP, target=0), replace(CLIP, target=0, out8=True), replace(CLIP, length=8193)]
    m, faults = Module(), Signal(len(ops))
    for k, op in enumerate(ops):
        values = {one.name: Const(int(getattr(op, one.name)), 32) for one in fields_of(Clip)}
        word = Signal(256, name=f"word{k}")
        m.d.comb += word.eq(assembled(Clip, **values))
        bad = limit_faults(word, Clip, MACHINE)
        m.d.comb += faults[k].eq(bad[0] | bad[1])

    async def bench(ctx: Any) -> None:
        assert ctx.get(faults) == 0b1010

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_every_instruction_says_what_it_must() -> None:
    """What a new one must have beside its fields."""
    assert [kind.opcode for kind in INSTRUCTIONS] == list(range(1, len(INSTRUCTIONS) + 1))
    for kind in INSTRUCTIONS:
        assert kind.__doc__
        assert kind.queue is None or sum(one.write for one in kind.operands) == 1
        names = {one.name for one in fields_of(kind)}
        for operand in kind.operands:
            assert {operand.stride, operand.block_stride, operand.based} - {""} <= names
        for limit in kind.limits:
            assert isinstance(limit, Apart) or limit.field in names
