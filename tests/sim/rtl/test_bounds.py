"""Legal and illegal programs at every bound: checker, emulator and RTL say the same of each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from intarsia.arch.hazards import ProgramError, check_program
from intarsia.arch.isa import INSTRUCTION_BYTES, INSTRUCTIONS, Space, Unit, decode, encode
from intarsia.arch.timing import simulate_program
from intarsia.emu.execute import MachineError, run, unwritten
from intarsia.hw.sequencer.control import DONE, ERROR, ERROR_INDEX, ERROR_ITERATION, ERROR_SEGMENT, STATUS
from intarsia.model.errors import InputError
from intarsia.sim.rtl.compile import compile_accelerator
from intarsia.sim.rtl.design import USUAL_DEPTH, accelerator_verilog
from intarsia.sim.rtl.job import job
from intarsia.sim.rtl.play import Played, play
from intarsia.sim.rtl.probes import RECORD
from tests.sim.rtl.bounds import cases
from tests.sim.rtl.case import DRAM_BYTES, MACHINE, Case

CASES = {case.name: case for case in cases()}
LIMIT = 1_000_000


def test_every_case_has_a_name_of_its_own() -> None:
    assert len(CASES) == len(list(cases()))
    assert sum(case.code is not None for case in CASES.values()) > 100
    assert {case.code for case in CASES.values()} == {None, 1, 2, 3, 4, 5}


def test_every_instruction_scalar_and_limit_has_cases() -> None:
    """What the instructions declare; the cases themselves are written by hand."""
    cases = CASES.values()
    assert {type(case.op) for case in cases} == {*INSTRUCTIONS}
    for kind in INSTRUCTIONS:
        refused = [case for case in cases if type(case.op) is kind and case.code == 2]
        record = kind.parameter()
        for scalar in record.scalars if record else ():
            name = scalar.text.removeprefix("shift ") or scalar.name
            assert not scalar.limited or any(f": {name} of " in case.name for case in refused), scalar
        for limit in kind.limits:
            assert any(limit.wrong(case.op, MACHINE) for case in refused), limit


@cache
def simulator() -> Path:
    return compile_accelerator(accelerator_verilog(MACHINE, USUAL_DEPTH))


def played(case: Case) -> Played:
    """What the RTL does with the instruction's bits."""
    program, dram = case.program()
    before, middle, after = program.segments
    try:
        encode(case.op)
    except InputError:  # something that can be encoded keeps its place
        good = next(one.op for one in CASES.values() if type(one.op) is type(case.op) and one.code is None)
        queues = tuple(tuple(good if op is case.op else op for op in queue) for queue in middle.queues)
        program = replace(program, segments=(before, replace(middle, queues=queues), after))
    work = job(program, USUAL_DEPTH, DRAM_BYTES)
    fill = sum(len(queue) for queue in before.queues)
    at = INSTRUCTION_BYTES * (fill + 1)
    code = work.code[:at] + case.encoded() + work.code[at + INSTRUCTION_BYTES :]
    return play(
        simulator(),
        replace(work, code=code),
        dram,
        unwritten(MACHINE.scratchpad_bytes),
        np.zeros(0, RECORD),
        latency=MACHINE.memory_latency,
        limit=LIMIT,
    )


@pytest.mark.parametrize("name", CASES)
def test_checker_and_emulator(name: str) -> None:
    case = CASES[name]
    program, dram = case.program()
    if case.words:
        with pytest.raises(InputError):
            decode(case.encoded())
        return
    if case.code is None:
        check_program(program)
        run(program, dram)
        return
    with pytest.raises(MachineError) as stopped:
        run(program, dram)
    error = stopped.value
    place = (error.code, error.unit, error.segment, error.iteration, error.index)
    assert place == (case.code, case.place, 1, case.iteration, 1)
    if not case.held:  # what memories hold the checker does not know
        with pytest.raises(ProgramError):
            check_program(program)


@pytest.mark.parametrize("name", CASES)
def test_rtl(name: str) -> None:
    case = CASES[name]
    found = played(case)
    read = found.registers
    assert found.faults == ()
    if case.code is None:
        assert read[STATUS] == DONE
        program, dram = case.program()
        spaces = run(program, dram).spaces
        assert np.array_equal(found.dram, spaces[Space.DRAM])
        assert np.array_equal(found.scratchpad, spaces[Space.SCRATCHPAD])
        assert found.cycles == simulate_program(program).cycles
    else:
        code, unit = read[ERROR] & 255, Unit(read[ERROR] >> 8)
        place = (code, unit, read[ERROR_SEGMENT], read[ERROR_ITERATION], read[ERROR_INDEX])
        assert place == (case.code, case.place, 1, case.iteration, 1)
