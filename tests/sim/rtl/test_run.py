"""Whole programs: the comparison itself, then the RTL."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.isa import Unit
from intarsia.arch.machine import Machine
from intarsia.arch.timing import ProgramError, simulate_program
from intarsia.hw.interfaces.ports import BUS_ERROR
from intarsia.hw.sequencer.control import ERROR, ERROR_INDEX, ERROR_ITERATION, ERROR_SEGMENT, STATUS
from intarsia.sim.rtl import run
from intarsia.sim.rtl.compile import compile_accelerator
from intarsia.sim.rtl.design import accelerator_verilog, program_depth
from intarsia.sim.rtl.job import BUSY, CYCLES_HIGH, CYCLES_LOW, job
from intarsia.sim.rtl.play import Played, play
from intarsia.sim.rtl.probes import EQUAL, RECORD, expected
from intarsia.sim.rtl.run import compare_program
from tests.arch.machines import MACHINE
from tests.sim.rtl.programs import contents, copies


@pytest.fixture
def program():
    return copies()


@pytest.fixture
def good(program):
    """A run without a fault."""
    timeline = simulate_program(program)
    wanted = expected(program, contents(program))
    cycles = timeline.cycles
    return Played(
        cycles=cycles,
        starts=tuple(u.start for u in timeline.units),
        ends=tuple(u.end for u in timeline.units),
        registers={STATUS: 2, CYCLES_LOW: cycles, CYCLES_HIGH: 0}
        | dict.fromkeys((ERROR, ERROR_SEGMENT, ERROR_ITERATION, ERROR_INDEX), 0)
        | {at + half: 0 for at in BUSY for half in (0, 4)}
        | {BUSY[u.unit]: u.busy for u in timeline.units},
        dram=wanted.dram,
        scratchpad=wanted.scratchpad,
        states=np.full(len(wanted.records), EQUAL, np.uint32),
        differences=[],
        faults=(),
        seconds=0.5,
    )


@pytest.fixture
def compared(program, monkeypatch):
    """The comparison with what the RTL is said to have done."""
    monkeypatch.setattr(run, "accelerator_verilog", lambda machine, depth: "")
    monkeypatch.setattr(run, "compile_accelerator", lambda *arguments: None)

    def compare(played):
        monkeypatch.setattr(run, "play", lambda *arguments, **options: played)
        return compare_program(program, contents(program))

    return compare


def test_a_run_without_a_fault(program, good, compared):
    found = compared(good)
    assert found.ok
    assert (found.rtl_cycles, found.mismatched_values, found.instructions) == (good.cycles, 0, 6)
    assert found.compared_values == 3 * 40 + program.dram_bytes // 2
    assert found.cycles_per_second == good.cycles / 0.5
    assert all(rtl == emulated for rtl, emulated in found.busy.values())


def test_bytes_of_dram(program, good, compared):
    dram = good.dram.copy()
    dram[[5, program.dram_bytes // 2]] ^= 255
    found = compared(replace(good, dram=dram))
    assert found.mismatched_values == 2
    assert found.problems == (f"value: DRAM byte 0x5, in in, must be {good.dram[5]}, not {dram[5]}",)


def test_bytes_of_the_scratchpad(good, compared):
    """One that the program never writes is compared too."""
    scratchpad = good.scratchpad.copy()
    scratchpad[MACHINE.bank_bytes + 7] ^= 255
    found = compared(replace(good, scratchpad=scratchpad))
    assert found.mismatched_values == 1
    (problem,) = found.problems
    assert problem.startswith("value: at the end scratchpad byte 0x8007, in bank 1, must be ")


def test_noise_wherever_the_program_writes(program):
    dram = contents(program)
    found = run.with_noise(program, dram)
    half = len(dram) // 2
    assert (found[:half] == dram[:half]).all()
    assert len(set(found[half:].tolist())) > 50


def test_an_illegal_program_is_refused_before_it_runs(program):
    """It stores bytes that were never written."""
    empty, segment = program.segments
    store = replace(segment.queues[Unit.STORE][1], address=0)
    queues = (segment.queues[0], (segment.queues[1][0], store), *segment.queues[2:])
    illegal = replace(program, segments=(empty, replace(segment, queues=queues)))
    with pytest.raises(ProgramError, match="store 1 .*scratchpad 0x0 is read before it is written"):
        compare_program(illegal, contents(illegal))


def test_cycles(good, compared):
    ends = tuple(end + 1 if unit == Unit.STORE else end for unit, end in enumerate(good.ends))
    late = replace(good, ends=ends, cycles=good.cycles + 1)
    found = compared(late)
    assert found.problems[0].startswith("the cycle counter must be ")
    assert found.problems[1].startswith("time: end must be in cycle ")
    assert found.problems[2].startswith("the RTL took ")


def test_an_error_of_the_machine(good, compared):
    registers = good.registers | {STATUS: 4, ERROR: 4 | 1 << 8, ERROR_ITERATION: 2, ERROR_INDEX: 1}
    found = compared(replace(good, registers=registers))
    assert found.problems == (
        f"error 4 in cycle {good.cycles}: segment copies, iteration 2, store instruction 1 "
        "(store dram=0x120 address=0x20 size=96 based=1)",
    )


def test_broken_rules_of_the_bus(good, compared):
    assert compared(replace(good, faults=("a burst crosses 4 KiB",))).problems == ("a burst crosses 4 KiB",)


def test_in_the_rtl(program):
    """On the machine of test_network.py, so that one simulator serves both."""
    program = replace(program, machine=Machine.load("tests/hw/whole.toml"))
    progress = []
    found = compare_program(program, contents(program), on_progress=lambda *step: progress.append(step))
    assert found.problems == ()
    assert (found.instructions, found.mismatched_values) == (6, 0)
    assert progress[-1] == ("running the RTL", 0, found.emulated_cycles)


def test_an_error_in_the_rtl(program):
    """A STORE to where DRAM is not: the emulator refuses it, so it is only played."""
    machine = Machine.load("tests/hw/whole.toml")
    dram = contents(program)
    _, segment = program.segments
    load, store, *others = segment.queues
    here = replace(load[1], based=False)
    segment = replace(segment, queues=((load[0], here), store, *others), base_step=1 << 20)
    program = replace(program, segments=(segment,))
    simulator = compile_accelerator(accelerator_verilog(machine, program_depth(program)))
    played = play(
        simulator,
        job(program, 16, len(dram)),
        dram,
        np.zeros(0, np.uint8),
        np.zeros(0, RECORD),
        latency=20,
        limit=5000,
    )
    assert (played.registers[STATUS], played.registers[ERROR]) == (4, BUS_ERROR | Unit.STORE << 8)
    assert played.registers[ERROR_ITERATION] == 1
    assert played.registers[ERROR_INDEX] == 1
    assert played.faults == ()
