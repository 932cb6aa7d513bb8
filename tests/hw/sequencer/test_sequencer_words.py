"""The sequencer against a model of it: words that are not all instructions, totals that may be false."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from intarsia.arch.isa import Unit
from tests.hw.sequencer.bench import Bench, random_segments, random_wait, wait
from tests.hw.sequencer_model import Descriptor, random_word
from tests.hw.sizes import DEPTH
from tests.slow import few


@pytest.mark.parametrize("true", [False, True])
@pytest.mark.parametrize("seed", few(range(3), 1))
def test_equals_the_model(seed: int, true: bool) -> None:
    rng = np.random.default_rng(seed)
    bench = Bench(rng)
    programs = 25

    async def body(ctx: Any) -> None:
        for _ in range(programs):
            often = rng.random()
            memories = [
                [random_wait(rng) if rng.random() < often else random_word(unit, rng) for _ in range(DEPTH)]
                for unit in Unit
            ]
            segments = random_segments(rng, memories, true)
            await bench.load(ctx, memories, segments)
            for _ in range(2):
                await bench.run(ctx, memories, segments)

    bench.simulate(body)
    assert bench.ended > programs // 4


@pytest.mark.parametrize("seed", few(range(2), 1))
def test_stops_where_a_unit_or_the_watchdog_says_so(seed: int) -> None:
    """In any cycle, the last of a program too; the same program then begins anew."""
    rng = np.random.default_rng(seed)
    bench = Bench(rng)
    found = []

    async def body(ctx: Any) -> None:
        for _ in range(12):
            memories = [
                [random_wait(rng) if rng.random() < 0.3 else random_word(unit, rng) for _ in range(DEPTH)]
                for unit in Unit
            ]
            segments = random_segments(rng, memories, True)
            await bench.load(ctx, memories, segments)
            for often in (0.03, 0.3, 0.0):
                bench.often_wrong = often
                found.append((await bench.run(ctx, memories, segments)).error)

    bench.simulate(body)
    assert {error[0] for error in found} >= {0, 6} and len({error[1:] for error in found}) > 12


def flawed(unit: Unit, rng: np.random.Generator) -> int:
    """An instruction with a bit or a field that is not what it was."""
    word = random_word(unit, rng) if rng.random() < 0.8 else random_wait(rng)
    match rng.integers(4):
        case 0:
            return word ^ 1 << int(rng.integers(256))
        case 1:
            return word & ~(0xFFFF << 16 * int(rng.integers(1, 16)))
        case 2:  # two things wrong
            return word ^ 1 << int(rng.integers(8)) ^ 1 << int(rng.integers(8, 256))
        case _:
            return word & ~0xFF | int(rng.integers(13))


@pytest.mark.parametrize("unit", Unit)
def test_says_what_is_wrong_with_an_instruction(unit: Unit) -> None:
    rng = np.random.default_rng(int(unit))
    bench = Bench(rng)
    found = []

    async def body(ctx: Any) -> None:
        for _ in range(100):
            place = int(rng.integers(DEPTH))
            memories = [[random_word(one, rng) for _ in range(DEPTH)] for one in Unit]
            memories[unit][place] = flawed(unit, rng)
            first, length = [0] * len(Unit), [0] * len(Unit)
            first[unit], length[unit] = place, 1
            one = Descriptor(0, 0, 1, first, length, length)
            await bench.load(ctx, [row if k == unit else [] for k, row in enumerate(memories)], [one])
            last = await bench.run(ctx, memories, [one])
            found.append(last.error[0])

    bench.simulate(body)
    assert {0, 1, 2} == set(found)


def test_the_lowest_unit_and_the_word_come_first() -> None:
    """Errors in one cycle, one of them a WAIT that could not be met in the last iteration."""
    bench = Bench(np.random.default_rng(0))
    memories = [
        [],
        [wait(1, 1), wait(0, 1)],
        [wait(7, 70000), 1],
        [1 << 8 | 1, 13],
        [random_word(Unit.LAYERNORM, bench.rng), wait(6, 1 << 16)],
        [2, wait(6, 2**31 - 1)],
        [random_word(Unit.ELEMENTWISE, bench.rng), wait(6, 1)],
    ]
    length = [len(memory) for memory in memories]
    expected = [(2, 2), (2, 3), (1, 5)]

    async def body(ctx: Any) -> None:
        await bench.load(ctx, memories, [])
        for code, unit in expected:
            one = Descriptor(0, 0, 3, [0] * 7, [n * (k >= unit) for k, n in enumerate(length)], [1] * 7)
            await bench.load(ctx, [[]] * 7, [one])
            assert (await bench.run(ctx, memories, [one])).error == (code, unit, 0, 0, 0)
        one = Descriptor(0, 0, 3, [0] * 7, [0, 2, 0, 0, 0, 0, 1], [0, 1, 1, 1, 1, 1, 1])
        await bench.load(ctx, [[]] * 7, [one])
        bench.rng = np.random.default_rng(1)
        memories[1][0] = wait(6, 1)
        await bench.load(ctx, memories, [one])
        assert (await bench.run(ctx, memories, [one])).error == (2, 1, 0, 0, 1)

    bench.simulate(body)
