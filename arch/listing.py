"""A program as text for people: assembly, with all else as comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from intarsia.arch.isa import Instruction, Unit, Wait, disassemble
from intarsia.arch.program import Program, Segment


def listing(program: Program) -> Iterator[str]:
    """The lines of a program: machine, DRAM, then segment after segment, in it unit after unit.

    Assembled again, they are the instructions of the program file, in its order.
    """
    machine = program.machine
    yield f"# machine {machine.name}: {machine.lanes} x {machine.depth} MACs, {machine.clock_mhz} MHz"
    first = [f"labels {program.label_dtype}"] if program.label_dtype else []
    results = [*first, *(f"{output.region} {output.dtype}" for output in program.outputs)]
    yield f"# DRAM: {program.dram_bytes:,} bytes, {', '.join(results)}"
    for region in program.regions:
        yield f"#   {region.address:#x} {region.kind} {region.name}, {region.size:,} bytes"
    for number, segment in enumerate(program.segments):
        yield ""
        yield f"# segment {number}, {segment.name}: {_turns(segment)}"
        for key, names in segment.names:
            yield f"#   {key}: {', '.join(names)}"
        for unit, queue, labels in zip(Unit, segment.queues, segment.labels, strict=True):
            if queue:
                yield f"# {unit.name.lower()}: {len(queue):,} instructions"
            for text, label in _lines(queue, labels):
                yield f"{text}  # {label}" if label else text


def listing_dict(program: Program) -> dict[str, Any]:
    """The same as plain values for JSON."""
    return {
        "machine": program.machine.document(),
        "dram_bytes": program.dram_bytes,
        "label_dtype": program.label_dtype,
        "outputs": [vars(output) for output in program.outputs],
        "regions": [vars(region) for region in program.regions],
        "segments": [_segment(segment) for segment in program.segments],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    queues = zip(Unit, segment.queues, segment.labels, strict=True)
    return {
        "name": segment.name,
        "repeat": segment.repeat,
        "base": segment.base,
        "base_step": segment.base_step,
        "names": {label: list(names) for label, names in segment.names},
        "queues": {
            unit.name.lower(): [{"text": text, "layer": label} for text, label in _lines(queue, labels)]
            for unit, queue, labels in queues
        },
    }


def _lines(queue: tuple[Instruction, ...], labels: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """Text and layer of every instruction; a wait works for none."""
    names = iter(labels)
    for instruction, text in zip(queue, disassemble(queue).splitlines(), strict=True):
        yield text, None if isinstance(instruction, Wait) else next(names)


def _turns(segment: Segment) -> str:
    turns = "once" if segment.repeat == 1 else f"{segment.repeat} times"
    return f"{turns}, base {segment.base:#x}" + (
        f" + {segment.base_step:#x} each" if segment.base_step else ""
    )
