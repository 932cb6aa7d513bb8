"""What the host writes for a program."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intarsia.arch.isa import Unit, decode
from intarsia.model.errors import InputError
from intarsia.sim.rtl.job import job, longest_queue, memory_writes
from tests.sim.rtl.programs import BYTES, copies


def test_registers_of_a_program():
    program = copies(repeat=3)
    work = job(program, 16, 5000)
    writes = {int(address): int(value) for address, value in work.writes}
    assert len(writes) == len(work.writes)
    assert work.segments == (1,)  # the empty one is not in the machine's table
    assert (writes[0x1000], writes[0x1004], writes[0x1008]) == (0, BYTES, 3)
    # First instruction, instructions, those that are no waits: of load, store and array.
    assert [writes[0x100C + 4 * k] for k in range(9)] == [0, 2, 1, 0, 2, 1, 0, 0, 0]
    assert work.writes[-3:].tolist() == [[0x20, 1], [0x34, 8192], [0, 3]]


def test_instructions_are_those_of_the_file(tmp_path):
    program = copies(repeat=3)
    program.save(tmp_path / "program")
    work = job(program, 16, 8192)
    assert work.code_at == 8192
    assert (tmp_path / "program").read_bytes().endswith(work.code)
    assert len(work.code) == 32 * sum(map(len, program.segments[1].queues))


def test_instructions_for_a_host_that_writes_them():
    segment = copies().segments[1]
    writes = dict(memory_writes([segment]))
    for unit in (Unit.LOAD, Unit.STORE):
        for index, instruction in enumerate(segment.queues[unit]):
            place = 0x100000 * (1 + unit) + 32 * index
            words = [writes[place + 4 * k].to_bytes(4, "little") for k in range(8)]
            assert decode(b"".join(words)) == instruction


def test_queues_of_segments_stand_one_behind_the_other():
    program = copies()
    twice = replace(program, segments=(program.segments[1], program.segments[1]))
    writes = {int(address): int(value) for address, value in job(twice, 4, 0).writes}
    assert [writes[0x1000 + 128 + 12 + 4 * k] for k in range(6)] == [2, 2, 1, 2, 2, 1]
    assert longest_queue(twice) == 4


def test_refusals():
    program = copies()
    with pytest.raises(InputError, match="a queue must have at most 1 instructions, .*, not 2"):
        job(program, 1, 0)
    with pytest.raises(
        InputError, match=f"DRAM must end at {2**32} or before with the instructions, not at {2**32 + 128}"
    ):
        job(program, 16, 2**32 - 5)
    with pytest.raises(InputError, match="the program must have 1..256 segments with instructions, not 0"):
        job(replace(program, segments=program.segments[:1]), 16, 0)
