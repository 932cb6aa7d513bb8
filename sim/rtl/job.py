"""A program as the host gives it to the machine: writes to its control registers (docs/machine.md, 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import INSTRUCTION_BYTES, Unit, Wait, encode
from intarsia.arch.program import Program, Segment
from intarsia.hw.sequencer.control import (
    CODE,
    CONTROL,
    CYCLES,
    ERROR,
    ERROR_INDEX,
    ERROR_ITERATION,
    ERROR_SEGMENT,
    FETCH,
    PROGRAM_STRIDE,
    PROGRAMS,
    SEGMENTS,
    START,
    STATUS,
    TABLE,
    TABLE_STRIDE,
    UNIT_COUNTERS,
    UNIT_STRIDE,
)
from intarsia.model.errors import InputError

CYCLES_LOW, CYCLES_HIGH = CYCLES, CYCLES + 4
BUSY = tuple(UNIT_COUNTERS + UNIT_STRIDE * unit for unit in Unit)
READS = (
    STATUS, CYCLES_LOW, CYCLES_HIGH, ERROR, ERROR_SEGMENT, ERROR_ITERATION, ERROR_INDEX,
    *(at + half for at in BUSY for half in (0, 4)),
)  # fmt: skip
"""What is read once the machine has stopped."""

MAX_SEGMENTS = 256
ALIGNMENT = 4096
"""Of the instructions in DRAM, a multiple of 32."""


@dataclass(frozen=True)
class Job:
    """What the host does for a program: writes [n, 2] of address and data, the last of which starts it.

    code: the instructions, as in the program's file, which are to be in DRAM from `code_at` on.
    segments: numbers, in the program, of those in the machine's table, which has none without instructions.
    """

    writes: NDArray[np.uint32]
    code: bytes
    code_at: int
    segments: tuple[int, ...]


def job(program: Program, depth: int, used: int) -> Job:
    """The job of a program for program memories of `depth` instructions, where DRAM holds something else
    below `used`; InputError if it does not fit."""
    numbers = tuple(k for k, segment in enumerate(program.segments) if any(segment.queues))
    if not 1 <= len(numbers) <= MAX_SEGMENTS:
        raise InputError(
            f"the program must have 1..{MAX_SEGMENTS} segments with instructions, not {len(numbers)}"
        )
    segments = [program.segments[k] for k in numbers]
    longest = longest_queue(program)
    if longest > depth:
        raise InputError(
            f"a queue must have at most {depth} instructions, what a program memory holds, not {longest}"
        )
    code = b"".join(encode(i) for segment in segments for queue in segment.queues for i in queue)
    code_at = -(-used // ALIGNMENT) * ALIGNMENT
    if code_at + len(code) > 2**32:
        raise InputError(
            f"DRAM must end at {2**32} or before with the instructions, not at {code_at + len(code)}"
        )
    writes = [*table_writes(segments), (CODE, code_at), (CONTROL, START | FETCH)]
    return Job(np.array(writes, np.uint32), code, code_at, numbers)


def longest_queue(program: Program) -> int:
    """Instructions of the unit that has most of them, waits included."""
    return max(sum(len(segment.queues[unit]) for segment in program.segments) for unit in Unit)


def table_writes(segments: list[Segment]) -> list[tuple[int, int]]:
    """The segment table; the queues stand one after the other in the program memories."""
    first = [0] * len(Unit)
    writes = []
    for number, segment in enumerate(segments):
        words = [segment.base, segment.base_step, segment.repeat]
        for unit, queue in enumerate(segment.queues):
            words += [first[unit], len(queue), sum(not isinstance(i, Wait) for i in queue)]
            first[unit] += len(queue)
        place = TABLE + TABLE_STRIDE * number
        writes += [(place + 4 * k, word) for k, word in enumerate(words)]
    return [*writes, (SEGMENTS, len(segments))]


def memory_writes(segments: list[Segment]) -> list[tuple[int, int]]:
    """The program memories, for a host that fills them itself."""
    writes = []
    for unit in Unit:
        code = b"".join(encode(i) for segment in segments for i in segment.queues[unit])
        assert len(code) <= PROGRAM_STRIDE and len(code) % INSTRUCTION_BYTES == 0
        place = PROGRAMS + PROGRAM_STRIDE * unit
        words = np.frombuffer(code, "<u4").tolist()
        writes += [(place + 4 * k, word) for k, word in enumerate(words)]
    return writes
