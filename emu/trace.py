"""A timeline as a Chrome trace: a JSON file that Perfetto (ui.perfetto.dev) and chrome://tracing open.

One process, the machine; a thread per unit, one more for segments. On a unit's thread are its
instructions and, in between, its pauses: "stall" in mid-work, "idle" without work. Counters show the
DRAM bytes per cycle and the live bytes of the scratchpad (`emu.over_time`), both as means of bins.

Times are true times at the machine's clock, in microseconds with six digits: at 800 MHz a cycle is
0.001250. What a time leaves out beyond them does not add up, and `args` has the cycles as integers.
One event per line, by unit and time, so that the traces of two runs can be compared line by line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from intarsia.arch.isa import Unit, Wait, operands
from intarsia.arch.program import Program
from intarsia.arch.timeline import Timeline
from intarsia.emu.over_time import OverTime
from intarsia.emu.waits import Pause, pauses_of
from intarsia.model.files import replacing

SEGMENTS = 7
"""Thread of the segments, below those of the units."""
BINS = 2000
"""Points of each counter at most."""


def write_trace(over_time: OverTime, path: Path) -> None:
    """Write the timeline of a program to `path`."""
    timeline = over_time.timeline
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        head = {
            "machine": timeline.machine.name,
            "clock_mhz": timeline.machine.clock_mhz,
            "ns_per_cycle": 1000 / timeline.machine.clock_mhz,
            "cycles": timeline.cycles,
        }
        file.write(f'{{"displayTimeUnit": "ns", "otherData": {json.dumps(head)}, "traceEvents": [\n')
        for number, line in enumerate(events(over_time)):
            file.write(f",\n{line}" if number else line)
        file.write("\n]}\n")


def events(over_time: OverTime) -> Iterator[str]:
    """The lines of the trace: names of the threads, segments, units, then counters."""
    program, timeline = over_time.program, over_time.timeline
    clock = _Clock(timeline.machine.clock_mhz)
    threads = {int(unit.unit): unit.unit.name.lower() for unit in timeline.units}
    yield _meta("process_name", 0, timeline.machine.name)
    for thread, name in {**threads, SEGMENTS: "segments"}.items():
        yield _meta("thread_name", thread, name)
    for span in timeline.segments:
        args = f'"start": {span.start}, "end": {span.end}'
        yield clock.slice(json.dumps(span.name), SEGMENTS, "segment", span.start, span.end, args)
    pauses = pauses_of(program, timeline)
    for unit in Unit:
        yield from _unit(program, timeline, unit, pauses[unit], clock)
    yield from _counters(over_time, clock)


class _Clock:
    """Cycles as microseconds, rounded down to a picosecond.

    Viewers count in whole nanoseconds, time and duration each cut off by itself after a product of
    doubles. They drop slices that overlap, so a slice ends a femtosecond early where it would.
    """

    def __init__(self, mhz: int) -> None:
        self.mhz = mhz

    def slice(self, name: str, thread: int, kind: str, start: int, end: int, args: str) -> str:
        """An event; `name` and `args` are JSON already."""
        first = start * 10**6 // self.mhz
        last = end * 10**6 // self.mhz
        length = _micro(last - first)
        if _whole(first) + _whole(last - first) > _whole(last):
            length = f"{_micro(last - first - 1)}999"
        return (
            f'{{"ph": "X", "pid": 0, "tid": {thread}, "name": {name}, "cat": "{kind}", '
            f'"ts": {_micro(first)}, "dur": {length}, "args": {{{args}}}}}'
        )

    def counter(self, name: str, cycle: int, values: dict[str, float]) -> str:
        """The values of a counter from a cycle on."""
        at = _micro(cycle * 10**6 // self.mhz)
        return f'{{"ph": "C", "pid": 0, "name": "{name}", "ts": {at}, "args": {json.dumps(values)}}}'


def _meta(kind: str, thread: int, name: str) -> str:
    return json.dumps({"ph": "M", "pid": 0, "tid": thread, "name": kind, "args": {"name": name}})


def _whole(picoseconds: int) -> int:
    """Nanoseconds as a viewer reads them from microseconds."""
    return int(picoseconds / 10**6 * 1000)


def _micro(picoseconds: int) -> str:
    return f"{picoseconds // 10**6}.{picoseconds % 10**6:06d}"


def _unit(
    program: Program, timeline: Timeline, unit: Unit, pauses: tuple[Pause, ...], clock: _Clock
) -> Iterator[str]:
    """The instructions and pauses of one unit by time."""
    one = timeline.units[unit]
    names = [json.dumps(name) for name in timeline.names]
    starts, ends, labels = one.start.tolist(), one.end.tolist(), one.label.tolist()
    waiting = iter(pauses)
    pause = next(waiting, None)
    place = 0
    for segment in program.segments:
        queue = [i for i in segment.queues[unit] if not isinstance(i, Wait)]
        texts = [
            f'"instruction": "{type(i).__name__.lower()}", "operands": {json.dumps(operands(i))}'
            for i in queue
        ]
        based = [getattr(i, "based", False) for i in queue]
        for iteration in range(segment.repeat):
            base = f', "base": "{segment.base + iteration * segment.base_step:#x}"'
            for text, moves in zip(texts, based, strict=True):
                while pause and pause.next == place and pause.start < starts[place]:
                    yield _pause(timeline, unit, pause, clock)
                    pause = next(waiting, None)
                name, start, end = names[labels[place]], starts[place], ends[place]
                args = f'"layer": {name}, {text}{base if moves else ""}, "start": {start}, "end": {end}'
                yield clock.slice(name, unit, "instruction", start, end, args)
                place += 1
    while pause:
        yield _pause(timeline, unit, pause, clock)
        pause = next(waiting, None)


def _pause(timeline: Timeline, unit: Unit, pause: Pause, clock: _Clock) -> str:
    """What a unit waited for: the unit and, of its instruction, the layer; and the layer that waited."""
    kind = "idle" if pause.idle else "stall"
    mine = timeline.units[unit].label
    args: dict[str, Any] = {}
    if pause.instruction >= 0:
        other = timeline.units[Unit[pause.cause.upper()]]
        if pause.next < len(mine):
            args["layer"] = timeline.names[mine[pause.next]]
        args["waits_for"] = pause.cause
        args["cause"] = f"{pause.cause}: {timeline.names[other.label[pause.instruction]]}"
        args["until_instruction"] = pause.instruction
    else:
        args["cause"] = pause.cause
    args |= {"start": pause.start, "end": pause.end}
    name = json.dumps(f"{kind}: {pause.cause}")
    return clock.slice(name, unit, kind, pause.start, pause.end, json.dumps(args)[1:-1])


def _counters(over_time: OverTime, clock: _Clock) -> Iterator[str]:
    bins = over_time.bins(BINS)
    cycles, starts = bins.cycles.tolist(), bins.edges[:-1].tolist()
    for start, length, read, written in zip(
        starts, cycles, bins.read.tolist(), bins.written.tolist(), strict=True
    ):
        yield clock.counter("DRAM bytes/cycle", start, {"read": read / length, "write": written / length})
    yield clock.counter("DRAM bytes/cycle", over_time.timeline.cycles, {"read": 0, "write": 0})
    for start, live in zip(starts, bins.live.tolist(), strict=True):
        yield clock.counter("scratchpad live bytes", start, {"live": live})
    yield clock.counter("scratchpad live bytes", over_time.timeline.cycles, {"live": 0})
