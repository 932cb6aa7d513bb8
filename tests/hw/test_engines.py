"""Every engine with random instructions: all of the scratchpad, and the cycles, are the emulator's."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from intarsia.arch.duration import cycles
from intarsia.arch.isa import (
    INSTRUCTIONS,
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
    Wait,
)
from intarsia.arch.isa.record import Record
from intarsia.arch.legal import InstructionError, check_instruction
from intarsia.arch.machine import Machine
from intarsia.arch.random_instruction import Chip, Maker
from intarsia.emu.execute.compute import compute
from intarsia.emu.execute.memory import Memories
from intarsia.hw.units.elementwise.engine import ArgmaxEngine, ExpandEngine, LookupEngine, ResidualEngine
from intarsia.hw.units.layernorm.engine import LayernormEngine
from intarsia.hw.units.matmul.engine import MatmulEngine
from intarsia.hw.units.shiftgelu.engine import GeluEngine
from intarsia.hw.units.shiftmax.engine import ShiftmaxEngine
from tests.hw.rig import Rig

SMALL = replace(Machine.load("tests/hw/small.toml"), banks=29, bank_kib=1)
WIDE = replace(SMALL, lanes=8, depth=16, elementwise_lanes=32, shiftmax_lanes=1, gelu_lanes=16)
"""Lanes whose beats fill a line and more; one lane."""

ENGINES: dict[str, tuple[Any, type[Instruction]]] = {
    "matmul": (MatmulEngine, Matmul),
    "shiftmax": (ShiftmaxEngine, Shiftmax),
    "layernorm": (LayernormEngine, Layernorm),
    "gelu": (GeluEngine, Gelu),
    "residual": (ResidualEngine, Residual),
    "lookup": (LookupEngine, Lookup),
    "argmax": (ArgmaxEngine, Argmax),
    "expand": (ExpandEngine, Expand),
}


def test_every_instruction_has_an_engine_here() -> None:
    assert [kind for _, kind in ENGINES.values()] == [
        kind for kind in INSTRUCTIONS if kind not in (Wait, Load, Store)
    ]


def memories(machine: Machine, chip: Chip) -> Memories:
    """Memories that hold what a chip's first segment would load."""
    found = Memories(machine, np.zeros(64, np.uint8))
    for space, data in chip.spaces.items():
        found.spaces[space][:] = data
    return found


@pytest.mark.parametrize("machine", [SMALL, WIDE], ids=["small", "wide"])
@pytest.mark.parametrize("name", ENGINES)
def test_random_instructions(name: str, machine: Machine) -> None:
    engine, kind = ENGINES[name]
    chip = Chip(machine, np.random.default_rng(len(name)))
    maker = Maker(chip, (0, 0))
    instructions = [i for _ in range(10) if (i := maker.make(kind)) is not None]
    expected, seen = memories(machine, chip), memories(machine, chip)
    for instruction in instructions:
        compute(expected, instruction)
    found = Rig(engine(machine), machine).run(instructions, seen)
    assert found == [(cycles(instruction, machine), 0) for instruction in instructions]
    assert np.array_equal(seen.spaces[Space.SCRATCHPAD], expected.spaces[Space.SCRATCHPAD])


def test_layernorms_of_long_rows() -> None:
    """Both slots: where the second begins depends on the machine."""
    machine = replace(SMALL, bank_kib=4, layernorm_length=2048)
    chip = Chip(machine, np.random.default_rng(7))
    param = chip.param(cast(Record, Layernorm.parameter()), c=40)
    middle = machine.scratchpad_bytes // 2 // 16 * 16
    instructions = [Layernorm(0, slot, middle, 2, 2048 - slot, 4096, 2048, param) for slot in (1, 0)]
    expected, seen = memories(machine, chip), memories(machine, chip)
    for instruction in instructions:
        compute(expected, instruction)
    found = Rig(LayernormEngine(machine), machine).run(instructions, seen)
    assert found == [(cycles(instruction, machine), 0) for instruction in instructions]
    assert np.array_equal(seen.spaces[Space.SCRATCHPAD], expected.spaces[Space.SCRATCHPAD])


SHIFTMAX = Shiftmax(0, 4096, 3, 20, 32, 48, 0)
GELU = Gelu(0, 4096, 3, 20, 32, 32, 0)
LAYERNORM = Layernorm(0, 0, 4096, 3, 20, 48, 48, 0)
MATMUL = Matmul(0, 4096, 8192, 5, 9, 9, 16, 16, 16, Layout.LANE_MAJOR, False, False, 0)
RESIDUAL = Residual(1024, 4096, 8192, 3, 20, 48, 48, 48, 0)
END = SMALL.scratchpad_bytes
BAD: list[tuple[str, Instruction, dict[int, int], int]] = [
    ("shiftmax", replace(SHIFTMAX, length=SMALL.row_length + 1), {}, 2),
    ("shiftmax", replace(SHIFTMAX, source=8), {}, 2),
    ("shiftmax", SHIFTMAX, {0: 0}, 2),
    ("shiftmax", SHIFTMAX, {4: 0}, 2),
    ("shiftmax", SHIFTMAX, {4: 32}, 2),
    ("shiftmax", SHIFTMAX, {5: 14}, 2),
    ("shiftmax", SHIFTMAX, {5: 47}, 2),
    ("shiftmax", replace(SHIFTMAX, source=END), {}, 3),
    ("shiftmax", replace(SHIFTMAX, target=END - 48), {}, 3),
    ("gelu", GELU, {4: 64}, 2),
    ("gelu", GELU, {5: 3}, 2),
    ("gelu", GELU, {8: 0}, 2),
    ("gelu", GELU, {11: 1}, 2),
    ("layernorm", replace(LAYERNORM, length=1025), {}, 2),
    ("layernorm", LAYERNORM, {4: 64}, 2),
    ("layernorm", replace(LAYERNORM, slot=1), {}, 2),
    ("argmax", Argmax(0, 4096, 3, 257, 528), {}, 2),
    ("expand", Expand(0, 4096, 3, 5, 16, 16, 1, True), {}, 2),
    ("matmul", replace(MATMUL, m=SMALL.accumulator_rows + 1), {}, 2),
    ("matmul", MATMUL, {4: 64}, 2),
    ("matmul", replace(MATMUL, y=END - 16), {}, 3),
    ("matmul", replace(MATMUL, y=64), {}, 5),
    # A row of x in the bank of y, in the next cycles; in the last ones; the last bytes of y in a bank of x.
    ("matmul", replace(MATMUL, x=4096 + 512), {}, 5),
    ("matmul", replace(MATMUL, x=0, x_stride=1024), {}, 5),
    ("matmul", replace(MATMUL, x=5120, y=5120 - 128), {}, 5),
    ("matmul", replace(MATMUL, x=5120, y=5120 - 128, layout=Layout.DEPTH_MAJOR), {}, 5),
    ("residual", replace(RESIDUAL, x=0, x_stride=2048), {}, 5),
    ("residual", replace(RESIDUAL, identity=1024 - 112), {}, 5),
    ("residual", replace(RESIDUAL, x=4096, x_stride=8192, identity=16, identity_stride=4096), {}, 5),
    ("shiftmax", replace(SHIFTMAX, target=0), {}, 2),
    ("matmul", replace(MATMUL, y=SMALL.stationary_bytes - 16, layout=Layout.PACKED), {}, 3),
]
GOOD = {0: 1, 4: 5, 5: 31, 8: 1, 9: 0, 10: 0, 11: 0}


@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors(case: int) -> None:
    name, instruction, changes, code = BAD[case]
    chip = Chip(SMALL, np.random.default_rng(1))
    word = chip.spaces[Space.PARAMETERS][:16]
    word[:] = 0
    for place, value in (GOOD | ({5: 1} if name == "gelu" else {}) | changes).items():
        word[place] = value
    chip.spaces[Space.CONSTANTS][1024 * 12 + 11] = 0x40  # B of slot 1, channel 0
    held = memories(SMALL, chip)
    with pytest.raises(InstructionError) as error:
        check_instruction(instruction, SMALL, 64)
        compute(held, instruction)
    assert error.value.code == code
    ((_, found),) = Rig(ENGINES[name][0](SMALL), SMALL).run([instruction], held)
    assert found == code


@pytest.mark.parametrize("name", ["matmul", "residual"])
def test_operands_beside_each_other(name: str) -> None:
    """Rows of both operands take turns in banks; the next instruction begins with none touched."""
    chip = Chip(SMALL, np.random.default_rng(2))
    word = chip.spaces[Space.PARAMETERS][:16]
    word[:] = 0
    for place, value in GOOD.items():
        word[place] = value
    turns: list[Instruction]
    if name == "matmul":
        first = replace(MATMUL, x=0, x_stride=2048, y=1024, y_stride=2048, out=20 * 1024)
        turns = [first, replace(first, x=1024, y=0), first]
    else:
        one = replace(RESIDUAL, x=0, x_stride=2048, identity=1024, identity_stride=2048, target=20 * 1024)
        turns = [one, replace(one, x=1024, identity=0), one]
    expected, seen = memories(SMALL, chip), memories(SMALL, chip)
    for instruction in turns:
        check_instruction(instruction, SMALL, 64)
        compute(expected, instruction)
    found = Rig(ENGINES[name][0](SMALL), SMALL).run(turns, seen)
    assert found == [(cycles(instruction, SMALL), 0) for instruction in turns]
    assert np.array_equal(seen.spaces[Space.SCRATCHPAD], expected.spaces[Space.SCRATCHPAD])


def test_a_packed_product_takes_no_parameter() -> None:
    """Whatever stands there."""
    chip = Chip(SMALL, np.random.default_rng(1))
    maker = Maker(chip, (0, 0))
    while not isinstance(one := maker.make(Matmul), Matmul) or one.layout is not Layout.PACKED:
        pass
    chip.spaces[Space.PARAMETERS][:] = 255
    expected, seen = memories(SMALL, chip), memories(SMALL, chip)
    compute(expected, one)
    assert Rig(MatmulEngine(SMALL), SMALL).run([one], seen) == [(cycles(one, SMALL), 0)]
    assert np.array_equal(seen.spaces[Space.SCRATCHPAD], expected.spaces[Space.SCRATCHPAD])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize("channel", [0, 17, 18])
def test_a_bias_of_2_to_the_62_is_the_largest(sign: int, beyond: int, channel: int) -> None:
    """Of either sign; what stands behind a row's end does not count."""
    chip = Chip(SMALL, np.random.default_rng(1))
    word = chip.spaces[Space.PARAMETERS][:16]
    word[:] = 0
    word[4] = 40
    entries = chip.spaces[Space.CONSTANTS][: 12 * 1024].reshape(-1, 12)
    entries[:, 4:] = 0
    bias = sign * (2**62 + beyond)
    entries[channel, 4:] = np.frombuffer(bias.to_bytes(8, "little", signed=True), np.uint8)
    one = replace(LAYERNORM, length=18, rows=2)
    expected, seen = memories(SMALL, chip), memories(SMALL, chip)
    ((took, code),) = Rig(LayernormEngine(SMALL), SMALL).run([one], seen)
    if beyond and channel < one.length:
        assert code == 2
        return
    compute(expected, one)
    assert (took, code) == (cycles(one, SMALL), 0)
    assert np.array_equal(seen.spaces[Space.SCRATCHPAD], expected.spaces[Space.SCRATCHPAD])


def test_expand_makes_rows_of_more_than_2_to_the_17_labels() -> None:
    machine = replace(SMALL, lanes=16, depth=16, elementwise_lanes=32, banks=9, bank_kib=16)
    chip = Chip(machine, np.random.default_rng(1))
    one = Expand(0, 4096, 1, 3, 16, 16, 43800, False)
    expected, seen = memories(machine, chip), memories(machine, chip)
    compute(expected, one)
    assert one.length * one.factor > 1 << 17
    assert Rig(ExpandEngine(machine), machine).run([one], seen) == [(cycles(one, machine), 0)]
    assert np.array_equal(seen.spaces[Space.SCRATCHPAD], expected.spaces[Space.SCRATCHPAD])
