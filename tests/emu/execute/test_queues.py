"""Waits, iterations, the base register, probes, deadlock."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from intarsia.arch.isa import Load, Matmul, Space, Store, Unit, Wait
from intarsia.arch.program import Probe
from intarsia.emu.execute import MachineError, execute
from intarsia.model.errors import InputError
from tests.emu.execute.bench import BANK, program, random, segment, stops


@pytest.mark.parametrize("order", [tuple(Unit), tuple(Unit)[::-1]])
def test_waits_across_iterations(order: tuple[Unit, ...]) -> None:
    """Four iterations through one buffer; loads wait for the store of the iteration before."""
    dram = np.zeros(256, np.uint8)
    dram[:128] = random(128, np.uint8)
    step = segment(
        Wait(Unit.STORE, 0),
        Load(0, Space.SCRATCHPAD, 0, 16, based=True),
        Wait(Unit.STORE, 1),
        Load(64, Space.SCRATCHPAD, 0, 16, based=True),
        Wait(Unit.LOAD, 1),
        Store(128, 0, 16, based=True),
        Wait(Unit.LOAD, 2),
        Store(192, 0, 16, based=True),
        repeat=4,
        base=0,
        base_step=16,
    )
    out = execute(program(step), dram, order=order)
    assert (out[128:] == dram[:128]).all()


@pytest.mark.parametrize("order", [tuple(Unit), tuple(Unit)[::-1]])
def test_negative_waits_allow_to_run_ahead(order: tuple[Unit, ...]) -> None:
    """Of three stores per iteration the first two may be late by a whole iteration."""
    seen = []
    step = segment(
        Wait(Unit.STORE, -1),
        Load(0, Space.SCRATCHPAD, 0, 16),
        Wait(Unit.LOAD, 1),
        *[Store(16 * i, 0, 16) for i in range(3)],
        repeat=3,
        probes=tuple(
            Probe("{i}." + unit.name + str(i), unit, i, 0, 16, 1, 16, "int8", 0, 0)
            for unit, i in [(Unit.LOAD, 0), (Unit.STORE, 0), (Unit.STORE, 1), (Unit.STORE, 2)]
        ),
    )
    execute(program(step), np.zeros(256, np.uint8), on_probe=lambda *a: seen.append(a[0]), order=order)
    for i in range(1, 3):
        assert seen.index(f"{i}.LOAD0") > seen.index(f"{i - 1}.STORE1")
        assert seen.index(f"{i}.STORE0") > seen.index(f"{i}.LOAD0")
    assert len(seen) == 12


def test_base_begins_anew_in_every_segment() -> None:
    dram = np.arange(256).astype(np.uint8)
    load = Load(10, Space.SCRATCHPAD, 0, 4, based=True)
    segments = [
        segment(load, repeat=2, base=100, base_step=20),
        segment(Store(200, 0, 4, based=True), base=-100),
        segment(Load(10, Space.SCRATCHPAD, 4, 4), base=7),
        segment(Store(50, 4, 4, based=True)),
    ]
    out = execute(program(*segments), dram)
    assert out[100:104].tolist() == [130, 131, 132, 133]
    assert out[50:54].tolist() == [10, 11, 12, 13]


def test_probe() -> None:
    seen: list[Any] = []
    probe = Probe("block{i}.q", Unit.LOAD, 1, 16, 32, 2, 3, "int16", 4, 5, head=6)
    loads = [Load(8 * i, Space.SCRATCHPAD, 16 + 32 * i, 8) for i in range(2)]
    dram = random(256, np.uint8)
    execute(program(segment(*loads, probes=(probe,), repeat=2)), dram, on_probe=lambda *a: seen.append(a))
    assert [a[:4] for a in seen] == [("block0.q", 6, 4, 5), ("block1.q", 6, 4, 5)]
    assert (seen[0][4] == dram[:16].view(np.int16).reshape(2, 4)[:, :3]).all()


def test_deadlock_names_the_blocked_units() -> None:
    load, store = Load(0, Space.SCRATCHPAD, 0, 16), Store(0, 0, 16)
    error = stops(load, Wait(Unit.STORE, 1), load, Wait(Unit.LOAD, 2), store, code=6, repeat=3, name="in")
    assert (error.unit, error.index) == (Unit.LOAD, 1)
    assert str(error) == (
        "error 6 at load instruction 1: no unit can go on in segment in: "
        "load (instruction 1, iteration 0) waits for store to complete 1, not 0; "
        "store (instruction 0, iteration 0) waits for load to complete 2, not 1"
    )


MATMUL = Matmul(0, 0, BANK, 4, 4, 8, 16, 0, 16)


def test_instruction_of_another_unit() -> None:
    wrong = replace(segment(MATMUL), queues=((), (MATMUL,), *[()] * 5))
    with pytest.raises(MachineError, match="error 1 at store instruction 0: Matmul is no instruction"):
        execute(program(wrong), np.zeros(256, np.uint8))


def test_refuses_other_arguments() -> None:
    with pytest.raises(InputError, match=r"DRAM contents must be uint8 \[256\], not uint8 \[3\]"):
        execute(program(), np.zeros(3, np.uint8))
    with pytest.raises(InputError, match="order must be every unit once, not "):
        execute(program(), np.zeros(256, np.uint8), order=[Unit.LOAD])
