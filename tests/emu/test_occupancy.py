"""The live bytes of the scratchpad, against a model of single lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.access import accesses
from intarsia.arch.isa import Argmax, Gelu, Load, Space, Store, Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.arch.timing import Timeline, simulate_program
from intarsia.emu.occupancy import LINE, occupancy_of
from intarsia.emu.simulation import network, simulate, simulate_graph
from tests.arch.programs import Queues, program, segment


def naive(one: Program, timeline: Timeline) -> dict[int, int]:
    """Change of the live bytes per cycle, line by line."""
    events = []
    done = [0] * len(Unit)
    for part in one.segments:
        for unit in Unit:
            queue = [i for i in part.queues[unit] if not isinstance(i, Wait)]
            for instruction in queue * part.repeat:
                times = timeline.units[unit]
                events.append(
                    (times.start[done[unit]], unit, done[unit], times.end[done[unit]], instruction)
                )
                done[unit] += 1
    born: dict[int, int] = {}
    read: dict[int, int] = {}
    changes: dict[int, int] = {}

    def close(line: int) -> None:
        if line in born and line in read:
            changes[born[line]] = changes.get(born[line], 0) + LINE
            changes[read[line]] = changes.get(read[line], 0) - LINE

    for start, _, _, end, instruction in sorted(events, key=lambda event: event[0]):
        touched = [a for a in accesses(instruction, one.machine) if a.space is Space.SCRATCHPAD]
        for access in sorted(touched, key=lambda access: access.write):
            lines = {
                line
                for first in access.starts().tolist()
                for line in range(first // LINE, (first + access.size - 1) // LINE + 1)
            }
            for line in lines:
                if not access.write:
                    read[line] = max(read.get(line, 0), int(end))
                elif line in read:
                    close(line)
                    born[line] = max(read.pop(line), int(start))
                else:
                    born.setdefault(line, int(start))
    for line in born:
        close(line)
    return {cycle: change for cycle, change in changes.items() if change}


def changes_of(one: Program, timeline: Timeline) -> dict[int, int]:
    found = occupancy_of(one, timeline)
    assert found.live.min() >= 0
    assert found.peak <= one.machine.scratchpad_bytes
    assert found.live[-1] == 0
    steps = np.diff(found.live, prepend=0)
    return {int(cycle): int(step) for cycle, step in zip(found.times, steps, strict=True) if step}


@pytest.mark.parametrize("size", [(64, 80), (50, 77)])
def test_equals_a_naive_model(size: tuple[int, int]) -> None:
    report = simulate(model=network("mini", "scenes", size), machine="edge")
    assert changes_of(report.program, report.timeline) == naive(report.program, report.timeline)


def test_equals_a_naive_model_where_memory_is_short() -> None:
    small = replace(Machine.load("edge"), banks=64, bank_kib=2, accumulator_rows=32)
    report = simulate_graph(network("mini", "scenes", (128, 128)), small)
    assert report.spills
    assert changes_of(report.program, report.timeline) == naive(report.program, report.timeline)


def test_a_line_lives_from_its_write_to_its_last_read() -> None:
    load = Load(0, Space.SCRATCHPAD, 0, 96)
    queues: Queues = {
        Unit.LOAD: [load, Load(0, Space.SCRATCHPAD, 4096, 64)],  # nobody reads the second
        Unit.STORE: [Wait(Unit.LOAD, 1), Store(0, 0, 40), Store(0, 0, 20)],
    }
    one = program(segment(queues))
    timeline = simulate_program(one)
    first, second = timeline.units[Unit.STORE].end.tolist()
    assert changes_of(one, timeline) == {0: 48, first: -16, second: -32}


def test_what_is_written_in_place_is_not_live_twice() -> None:
    queues: Queues = {
        Unit.LOAD: [Load(0, Space.SCRATCHPAD, 0, 64)],
        Unit.GELU: [Wait(Unit.LOAD, 1), Gelu(0, 0, 1, 64, 64, 64, 0)],
        Unit.STORE: [Wait(Unit.GELU, 1), Store(0, 0, 64)],
    }
    one = program(segment(queues))
    timeline = simulate_program(one)
    assert changes_of(one, timeline) == {0: 64, int(timeline.units[Unit.STORE].end[0]): -64}


def test_bytes_that_share_a_line() -> None:
    """Labels begin anywhere: a second write to a line that is still to be read does not restart it."""
    queues: Queues = {
        Unit.LOAD: [Load(0, Space.SCRATCHPAD, 0, 64)],
        Unit.ELEMENTWISE: [Wait(Unit.LOAD, 1), Argmax(0, 256, 4, 8, 16), Argmax(0, 260, 4, 8, 16)],
        Unit.STORE: [Wait(Unit.ELEMENTWISE, 2), Store(0, 256, 8)],
    }
    one = program(segment(queues))
    timeline = simulate_program(one)
    argmax, stored = timeline.units[Unit.ELEMENTWISE], int(timeline.units[Unit.STORE].end[0])
    assert changes_of(one, timeline) == {
        0: 64, int(argmax.start[0]): 16, int(argmax.end[1]): -64, stored: -16,
    }  # fmt: skip
    assert changes_of(one, timeline) == naive(one, timeline)


def test_byte_cycles_of_bins_add_up() -> None:
    report = simulate(model=network("mini", "scenes", (64, 80)), machine="edge")
    found = report.over_time.occupancy
    whole = int((found.live[:-1] * np.diff(found.times)).sum())
    assert whole > 0
    for count in (1, 3, 100):
        edges = np.linspace(0, report.cycles, count + 1).astype(np.int64)
        assert found.byte_cycles(edges).sum() == whole
    cut = found.byte_cycles(np.array([10_000, 10_001]))
    assert cut[0] == found.live[np.searchsorted(found.times, 10_000, "right") - 1]
