"""What no machine looks for is refused before anything runs, by the checker and the RTL's runner alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.hazards import ProgramError, check_program
from intarsia.arch.isa import Gelu, Instruction, Load, Lookup, Matmul, Space, Store, Unit, Wait
from intarsia.arch.program import Program, Region, Segment
from intarsia.emu.execute import execute
from intarsia.sim.rtl import run
from intarsia.sim.rtl.run import compare_program
from tests.arch.machines import MACHINE

BANK = MACHINE.bank_bytes
PIXELS = Load(0, Space.SCRATCHPAD, 0, 4096)
TABLE = Load(0, Space.TABLE, 0, 768)
WORD = Load(0, Space.PARAMETERS, 0, 16)
LOOK = Lookup(0, BANK, 16, 48, 64, 64)
GELU = Gelu(0, 2 * BANK, 64, 48, 64, 64, 0)
KEEP = Store(0x8000, BANK, 48, 16, 1, 48, 0, 64)

Queues = Mapping[Unit, Sequence[Instruction]]
GOOD: Queues = {
    Unit.LOAD: [PIXELS, TABLE, WORD],
    Unit.ELEMENTWISE: [Wait(Unit.LOAD, 2), LOOK],
    Unit.STORE: [Wait(Unit.ELEMENTWISE, 1), KEEP],
}
WEIGHTS = Load(0, Space.STATIONARY, 0, 32 * (12 + 32))
PRODUCT = Matmul(0, 0, BANK, 16, 32, 32, 32, 0, 32)
ILLEGAL: dict[str, tuple[Queues, str]] = {
    "a target over half of its source": (
        {**GOOD, Unit.ELEMENTWISE: [Wait(Unit.LOAD, 2), replace(LOOK, target=16)]},
        "elementwise 1 (lookup): its target at 0x10 and its source at 0x0 must be the same matrix",
    ),
    "rows of a target over each other": (
        {**GOOD, Unit.ELEMENTWISE: [Wait(Unit.LOAD, 2), replace(LOOK, target_stride=32)]},
        "elementwise 1 (lookup): byte 0x8020 of its target must be written once, not twice",
    ),
    "a product over its rows": (
        {Unit.LOAD: [PIXELS, WEIGHTS], Unit.ARRAY: [Wait(Unit.LOAD, 2), replace(PRODUCT, out=512 - 32)]},
        "array 1 (matmul): its target at 0x1e0 and its source at 0x0 must share no byte, not 0x1e0",
    ),
    "two units that hold a port": (
        {**GOOD, Unit.GELU: [Wait(Unit.LOAD, 3), GELU], Unit.ELEMENTWISE: [Wait(Unit.LOAD, 3), LOOK]},
        "the read port of bank 0 is held by",
    ),
    "a byte that nobody wrote": (
        {**GOOD, Unit.STORE: [Wait(Unit.ELEMENTWISE, 1), replace(KEEP, size=49, dram_stride1=49)]},
        "store 1 (store), iteration 0: scratchpad 0x8030 is read before it is written",
    ),
    "padding": (
        {**GOOD, Unit.STORE: [Wait(Unit.ELEMENTWISE, 1), Store(0x8000, BANK, 1024)]},
        "store 1 (store), iteration 0: scratchpad 0x8030 is read before it is written",
    ),
    "a missing wait": (
        {**GOOD, Unit.STORE: [Wait(Unit.LOAD, 2), KEEP]},
        "iteration 0: scratchpad 0x8000 is read ",
    ),
    "a load from where nothing is": (
        {**GOOD, Unit.LOAD: [PIXELS, TABLE, replace(WORD, dram=0x7FF8)]},
        "load 2 (load): dram 0x7ff8..0x8008 must be all inside regions",
    ),
    "a store over weights": (
        {**GOOD, Unit.STORE: [Wait(Unit.ELEMENTWISE, 1), replace(KEEP, dram=0)]},
        "store 1 (store): dram 0x0..0x300 is no region of activations or labels",
    ),
}
ALONE = ("a target over half of its source", "rows of a target over each other", "a product over its rows")
"""What the emulator sees, which knows of no cycles."""


def program(queues: Queues) -> Program:
    lists = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple("node" for op in queue if not isinstance(op, Wait)) for queue in lists)
    regions = (Region("in", 0, 0x7000, "weights"), Region("out", 0x8000, 0x1000, "labels"))
    return Program(MACHINE, (Segment("s", lists, labels),), regions, 0x9000, "uint8")


def test_the_legal_program() -> None:
    check_program(program(GOOD))


@pytest.mark.parametrize("name", ILLEGAL)
def test_all_refuse_in_the_same_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queues, sentence = ILLEGAL[name]
    illegal = program(queues)
    monkeypatch.setattr(run, "compile_accelerator", lambda verilog: pytest.fail("the RTL is wanted"))
    dram = np.zeros(illegal.dram_bytes, np.uint8)
    with pytest.raises(ProgramError) as checked:
        check_program(illegal)
    assert sentence in str(checked.value)
    with pytest.raises(ProgramError) as compared:
        compare_program(illegal, dram)
    assert str(compared.value) == str(checked.value)
    if name in ALONE:
        with pytest.raises(ProgramError) as executed:
            execute(illegal, dram)
        assert str(executed.value) in str(checked.value)
