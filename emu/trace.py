"""A timeline as a Chrome trace: a JSON file that Perfetto (ui.perfetto.dev) and chrome://tracing open.

One process, the machine; a thread per unit, one more for segments. A cycle is shown as a nanosecond
whatever the clock, so that every cycle is exact. One event per line, by unit and time, so that the
traces of two runs of the same program can be compared line by line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from emu.timing import Timeline
from model.files import replacing

SEGMENTS = 7
"""Thread of the segments, below those of the units."""


def write_trace(timeline: Timeline, path: Path) -> None:
    """Write `timeline` to `path`."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        head = {
            "machine": timeline.machine.name,
            "clock_mhz": timeline.machine.clock_mhz,
            "cycles": timeline.cycles,
            "note": "1 ns is 1 cycle",
        }
        file.write(f'{{"displayTimeUnit": "ns", "otherData": {json.dumps(head)}, "traceEvents": [\n')
        for number, line in enumerate(events(timeline)):
            file.write(f",\n{line}" if number else line)
        file.write("\n]}\n")


def events(timeline: Timeline) -> Iterator[str]:
    """The lines of the trace: names of the threads, segments, then every instruction."""
    threads = {int(unit.unit): unit.unit.name.lower() for unit in timeline.units}
    yield _meta("process_name", 0, timeline.machine.name)
    for thread, name in {**threads, SEGMENTS: "segments"}.items():
        yield _meta("thread_name", thread, name)
    for span in timeline.segments:
        yield _event(json.dumps(span.name), SEGMENTS, span.start, span.end)
    names = [json.dumps(name) for name in timeline.names]
    for unit in timeline.units:
        thread = int(unit.unit)
        rows = zip(unit.start.tolist(), unit.end.tolist(), unit.label.tolist(), strict=True)
        for start, end, label in rows:
            yield _event(names[label], thread, start, end)


def _meta(kind: str, thread: int, name: str) -> str:
    return json.dumps({"ph": "M", "pid": 0, "tid": thread, "name": kind, "args": {"name": name}})


def _event(name: str, thread: int, start: int, end: int) -> str:
    """A span; times in microseconds with three digits, which are the cycles."""
    return (
        f'{{"ph": "X", "pid": 0, "tid": {thread}, "name": {name}, '
        f'"ts": {_micro(start)}, "dur": {_micro(end - start)}}}'
    )


def _micro(cycles: int) -> str:
    return f"{cycles // 1000}.{cycles % 1000:03d}"
