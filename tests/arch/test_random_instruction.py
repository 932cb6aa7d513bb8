"""Random instructions: legal by themselves, inside their unit's areas, of all modes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from intarsia.arch.isa import INSTRUCTIONS, Instruction, Matmul, Space, Wait
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.isa.transfer import Transfer
from intarsia.arch.legal import check_instruction, check_overlaps
from intarsia.arch.machine import PARAMETER_WORDS, Machine
from intarsia.arch.random_instruction import AREAS, MOST_CYCLES, SPARE_BYTES, Chip, Maker

MACHINE = replace(Machine.load("tests/hw/small.toml"), banks=29, bank_kib=1)
COUNT = 60


def made(kind: type[Instruction], seed: int = 0) -> list[Instruction]:
    maker = Maker(Chip(MACHINE, np.random.default_rng(seed)), (0, SPARE_BYTES))
    return [one for _ in range(COUNT) if (one := maker.make(kind)) is not None]


@pytest.mark.parametrize("kind", [kind for kind in INSTRUCTIONS if kind is not Wait])
def test_they_are_legal_and_of_all_modes(kind: type[Instruction]) -> None:
    found = made(kind)
    assert len(found) == COUNT or kind is Matmul
    assert len({tuple(getattr(one, f.name) for f in fields_of(kind)) for one in found}) > COUNT // 2
    unit = found[0].queue
    assert unit is not None
    areas = Maker(Chip(MACHINE, np.random.default_rng(0)), (0, 0)).areas[unit]
    low, high = min(area[0] for area in areas), max(area[1] for area in areas)
    for one in found:
        check_instruction(one, MACHINE, 2 * SPARE_BYTES)
        check_overlaps(one, MACHINE)
        assert isinstance(one, Transfer) or one.cycles(MACHINE) <= MOST_CYCLES
        for access in one.accesses(MACHINE):
            if access.space is Space.SCRATCHPAD:
                assert low <= access.low and access.high <= high
    for field in fields_of(kind):
        if field.high - field.low < 4 and field.name != "space":
            seen = {getattr(one, field.name) for one in found}
            assert seen == set(range(field.low, field.high + 1)), field.name


def test_products_leave_off_where_the_stationary_buffer_is_full() -> None:
    found = made(Matmul)
    packed = [one for one in found if isinstance(one, Matmul) and one.layout == 0]
    places = sorted((one.y, one.accesses(MACHINE)[1].high) for one in packed)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(places))
    assert len(packed) < COUNT // 3


def test_parameter_words_run_out() -> None:
    chip = Chip(MACHINE, np.random.default_rng(0))
    record = Matmul.parameter()
    assert record is not None
    for index in range(PARAMETER_WORDS):
        assert chip.param(record, c=7) == index
    assert set(chip.spaces[Space.PARAMETERS].view(record.dtype)["c"].tolist()) == {7}
    with pytest.raises(ValueError, match="at most 256 parameter words"):
        chip.param(record)


def test_areas_are_those_of_the_operands() -> None:
    assert list(AREAS.values()) == [1, 1, 3, 2, 2, 2, 3]
