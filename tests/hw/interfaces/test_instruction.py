"""What is wrong with single instructions, against `decode`: every bit, every bound, every queue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from intarsia.arch.isa import UNIT, Unit
from intarsia.arch.isa.registry import OPCODES
from tests.hw.legality import Legality
from tests.hw.sequencer.bench import random_wait
from tests.hw.sequencer_model import code_of, random_word


def legal(opcode: int, rng: np.random.Generator) -> tuple[int, Unit]:
    """A legal instruction of an opcode, and its unit; a WAIT may be in any queue."""
    unit = UNIT.get(OPCODES[opcode][0], Unit.GELU)
    word = random_wait(rng) if opcode == 1 else 0
    while word & 0xFF != opcode:
        word = random_word(unit, rng)
    return word, unit


def codes(cases: Iterable[tuple[int, Unit]]) -> list[int]:
    """What the hardware says of each word in its queue."""
    dut, found = Legality(), []

    async def body(ctx: Any) -> None:
        for word, unit in cases:
            ctx.set(dut.word, word)
            ctx.set(dut.unit, unit)
            await ctx.delay(1e-9)
            found.append(ctx.get(dut.code))

    simulator = Simulator(dut)
    simulator.add_testbench(body)
    simulator.run()
    return found


@pytest.mark.parametrize("opcode", OPCODES)
def test_every_bit_and_every_bound_of_every_instruction(opcode: int) -> None:
    """From words that are legal: every bit turned, every field at its bounds and just outside."""
    rng = np.random.default_rng(opcode)
    cases = []
    for _ in range(4):
        word, unit = legal(opcode, rng)
        words = [word, *(word ^ 1 << bit for bit in range(256))]
        for f in OPCODES[opcode][1]:
            low, ones = 32 * f.word + f.shift, (1 << f.bits) - 1
            ends = f.low // f.scale, f.high // f.scale
            values = (ends[0] - 1, *ends, ends[1] + 1)
            words += [word & ~(ones << low) | (value & ones) << low for value in values]
        cases += [(one, unit) for one in words]
    expected = [code_of(word, unit) for word, unit in cases]
    assert codes(cases) == expected
    assert set(expected) == {0, 1, 2}


def test_opcodes_in_every_queue() -> None:
    """An instruction is legal in its unit's queue alone, a WAIT in all; other opcodes are in none."""
    rng = np.random.default_rng(0)
    words = [legal(opcode, rng)[0] for opcode in OPCODES] + [n for n in range(256) if n not in OPCODES]
    cases = [(word, unit) for word in words for unit in Unit]
    expected = [code_of(word, unit) for word, unit in cases]
    assert codes(cases) == expected
    assert expected.count(0) == len(OPCODES) - 1 + len(Unit)
