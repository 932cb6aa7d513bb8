"""What the scratchpad must hold when instructions are complete: every tensor of a network, piece by piece.

The emulator runs the program and leaves a checksum per piece; the RTL's bench computes the same from the
simulated scratchpad. Where they differ, the emulator runs again for the values.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Space, Unit
from intarsia.arch.program import Probe, Program
from intarsia.emu.execute import execute, run
from intarsia.sim.rtl.place import place_of

RECORD = np.dtype(
    [(name, "<u4") for name in ("unit", "completed", "address", "stride", "rows", "row_bytes")]
    + [("checksum", "<u4"), ("state", "<u4")]
)
"""As in sim/rtl/cpp/probes.h."""
NOT_REACHED, EQUAL, DIFFERENT = range(3)

Key = tuple[str, int | None, int, int]
"""Tensor with its iteration, head, row, column: a piece of a tensor."""


@dataclass(frozen=True)
class Expected:
    """What a program must leave behind: per piece a record, its key, its type; DRAM and the scratchpad at
    the end."""

    records: NDArray[np.void]
    keys: list[Key]
    probes: list[Probe]
    dram: NDArray[np.uint8]
    scratchpad: NDArray[np.uint8]


def expected(program: Program, dram: NDArray[np.uint8]) -> Expected:
    """By the emulator, from the DRAM contents `dram`."""
    checksums: dict[Key, int] = {}

    def keep(tensor: str, head: int | None, row: int, column: int, values: NDArray[Any]) -> None:
        checksums[tensor, head, row, column] = zlib.crc32(values.tobytes())

    final = run(program, dram, on_probe=keep).spaces
    pieces = _pieces(program)
    rows = [
        (
            unit, completed, probe.address, probe.stride, probe.rows,
            probe.columns * np.dtype(probe.dtype).itemsize, checksums[key], NOT_REACHED,
        )
        for unit, completed, key, probe in pieces
    ]  # fmt: skip
    return Expected(
        np.array(rows, RECORD),
        [key for _, _, key, _ in pieces],
        [probe for *_, probe in pieces],
        final[Space.DRAM],
        final[Space.SCRATCHPAD],
    )


def _pieces(program: Program) -> list[tuple[int, int, Key, Probe]]:
    """Unit, instructions that it has completed, key and probe, in order of the first two."""
    found: list[tuple[int, int, Key, Probe]] = []
    before = [0] * len(Unit)
    for segment in program.segments:
        totals = [len(labels) for labels in segment.labels]
        for iteration in range(segment.repeat):
            for probe in segment.probes:
                unit = probe.unit
                completed = before[unit] + iteration * totals[unit] + probe.index + 1
                tensor = segment.name_of(probe.tensor, iteration)
                found.append((int(unit), completed, (tensor, probe.head, probe.row, probe.column), probe))
        before = [b + total * segment.repeat for b, total in zip(before, totals, strict=True)]
    return sorted(found, key=lambda piece: piece[:2])


def count_values(wanted: Expected, states: NDArray[np.uint32]) -> int:
    """Values that were compared."""
    return sum(p.rows * p.columns for p, state in zip(wanted.probes, states, strict=True) if state)


def count_wrong(
    program: Program,
    dram: NDArray[np.uint8],
    wanted: Expected,
    states: NDArray[np.uint32],
    differences: list[tuple[int, bytes]],
) -> tuple[int, str | None]:
    """Values that are wrong, and the first of them in words.

    Of a piece whose bytes the bench did not keep, for there were too many, all values count.
    """
    if not (states == DIFFERENT).any():
        return 0, None
    values: dict[Key, NDArray[Any]] = {}
    kept = {wanted.keys[number] for number, _ in differences}

    def keep(tensor: str, head: int | None, row: int, column: int, piece: NDArray[Any]) -> None:
        if (tensor, head, row, column) in kept:
            values[tensor, head, row, column] = piece

    execute(program, dram, on_probe=keep)
    seen = {number for number, _ in differences}
    wrong = sum(
        wanted.probes[number].rows * wanted.probes[number].columns
        for number in np.flatnonzero(states == DIFFERENT).tolist()
        if number not in seen
    )
    first = None
    for number, data in differences:
        right = values[wanted.keys[number]]
        found = np.frombuffer(data, right.dtype).reshape(right.shape)
        places = np.argwhere(found != right)
        wrong += len(places)
        if first is None and len(places):
            first = _words(program, wanted, number, right, found, places)
    return wrong, first


def _words(
    program: Program,
    wanted: Expected,
    number: int,
    right: NDArray[Any],
    found: NDArray[Any],
    places: NDArray[np.intp],
) -> str:
    tensor, head, row, column = wanted.keys[number]
    i, j = places[0].tolist()
    name = tensor if head is None else f"{tensor} head {head}"
    record = wanted.records[number]
    place = place_of(program, Unit(int(record["unit"])), int(record["completed"]) - 1)
    return (
        f"{name}[{row + i}, {column + j}] must be {right[i, j]}, not {found[i, j]}, the first of "
        f"{len(places)} in {right.size}, after {place}"
    )
