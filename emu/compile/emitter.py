"""Instructions in program order to queues per unit, with the waits that they need.

The bytes that an instruction touches are those of `arch.access`. From these follow the waits: a reader
waits for the last writer, a writer for the last readers and writer, and nobody holds a port of a bank
together with another unit. So a schedule may be written in any sensible order and is right by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from intarsia.arch.access import accesses
from intarsia.arch.isa import UNIT, Instruction, Space, Unit, Wait
from intarsia.arch.machine import PARAMETER_BYTES, PARAMETERS_BYTES, TABLE_BYTES, Machine
from intarsia.arch.program import Probe, Segment

GRANULE = {
    Space.SCRATCHPAD: 1024,
    Space.STATIONARY: 1024,
    Space.PARAMETERS: PARAMETER_BYTES,
    Space.TABLE: TABLE_BYTES,
}
"""Bytes that are tracked as one: smaller costs time, larger makes units wait for nothing."""


class Touched(NamedTuple):
    """What an access touches: granules of a memory, or ports of banks."""

    history: _History
    part: slice
    port: bool


class _History:
    """Last reader and writer of every granule, as 1 + the instruction's number, per unit."""

    def __init__(self, granules: int) -> None:
        self.read = np.zeros((len(Unit), granules), np.int64)
        self.written = np.zeros((len(Unit), granules), np.int64)


class _Transfers:
    """The bytes of DRAM that a unit has moved, and 1 + the number of the last instruction that did."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], int] = {}
        self._bounds = np.zeros((64, 2), np.int64)
        self._numbers = np.zeros(64, np.int64)

    def mark(self, first: int, last: int, number: int) -> None:
        """Instruction `number` moves bytes first..last."""
        place = self._places.setdefault((first, last), len(self._places))
        if place == len(self._numbers):
            self._bounds = np.concatenate([self._bounds, np.zeros_like(self._bounds)])
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._bounds[place] = first, last
        self._numbers[place] = number

    def last(self, first: int, last: int) -> int:
        """Number of the last instruction that has moved any of these bytes; 0: none has."""
        low, high = self._bounds.T
        return int(self._numbers[(low < last) & (high > first)].max(initial=0))


class Emitter:
    """The queues of one segment."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        sizes = {
            Space.SCRATCHPAD: machine.scratchpad_bytes,
            Space.STATIONARY: machine.stationary_bytes,
            Space.PARAMETERS: PARAMETERS_BYTES,
            Space.CONSTANTS: machine.constants_bytes,
            Space.TABLE: TABLE_BYTES,
        }
        self._granules = GRANULE | {Space.CONSTANTS: machine.slot_bytes}
        self._histories = {s: _History(-(-size // self._granules[s])) for s, size in sizes.items()}
        self._ports = _History(machine.banks)
        self._moved = {Unit.LOAD: _Transfers(), Unit.STORE: _Transfers()}
        self.queues: list[list[Instruction]] = [[] for _ in Unit]
        self.labels: list[list[str]] = [[] for _ in Unit]
        self.probes: list[Probe] = []
        self._known: dict[tuple[Space, int, int], list[Touched]] = {}
        self._waited = np.zeros((len(Unit), len(Unit)), np.int64)

    def add(self, instruction: Instruction, label: str, dram: tuple[int, int] | None = None) -> int:
        """Append an instruction, after the waits for what it touches; its number in the queue.

        dram: first byte in DRAM, and the one behind the last, that a transfer is taken to touch, where
        those that it moves are too few.
        """
        unit = UNIT[type(instruction)]
        number = len(self.labels[unit]) + 1
        reads, writes = list[Touched](), list[Touched]()
        need = np.zeros(len(Unit), np.int64)
        for access in accesses(instruction, self.machine):
            if access.space is not Space.DRAM:
                found = self._touched(access.space, access.low, access.high)
                (writes if access.write else reads).extend(found)
            elif not getattr(instruction, "based", False):  # else a constant, which nobody writes
                other = Unit.LOAD if access.write else Unit.STORE
                bounds = dram or (access.low, access.high)
                need[other] = self._moved[other].last(*bounds)
                self._moved[unit].mark(*bounds, number)
        before = [history.read if port else history.written for history, _, port in reads]
        ends = [end[:, part] for end, (_, part, _) in zip(before, reads, strict=True)]
        ends += [history.written[:, part] for history, part, _ in writes]
        ends += [history.read[:, part] for history, part, port in writes if not port]
        if ends:
            np.maximum(need, np.concatenate(ends, axis=1).max(axis=1), out=need)
        need[unit] = 0  # a queue is in order
        for one in np.flatnonzero(need > self._waited[unit]):
            self.queues[unit].append(Wait(Unit(int(one)), int(need[one])))
            self._waited[unit, one] = need[one]
        self.queues[unit].append(instruction)
        self.labels[unit].append(label)
        for history, part, _ in reads:
            history.read[unit, part] = number
        for history, part, _ in writes:
            history.written[unit, part] = number
        return number - 1

    def _touched(self, space: Space, first: int, last: int) -> list[Touched]:
        """Granules and, in the scratchpad, ports of banks that bytes first..last lie in."""
        known = self._known.get((space, first, last))
        if known is None:
            size = self._granules[space]
            known = [Touched(self._histories[space], slice(first // size, -(-last // size)), False)]
            if space == Space.SCRATCHPAD:
                size = self.machine.bank_bytes
                known.append(Touched(self._ports, slice(first // size, -(-last // size)), True))
            self._known[space, first, last] = known
        return known


def segment(
    machine: Machine,
    name: str,
    emit: Callable[[Emitter], None],
    *,
    repeat: int = 1,
    base: int = 0,
    base_step: int = 0,
    names: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Segment:
    """The segment that `emit` writes, repeated; `names` as in `Segment`.

    What an iteration waits for in the one before is learned by writing two and keeping the second.
    """
    emitter = Emitter(machine)
    emit(emitter)
    lengths, totals = [0] * len(Unit), [0] * len(Unit)
    probes = 0
    if repeat > 1:
        lengths = [len(queue) for queue in emitter.queues]
        totals = [len(labels) for labels in emitter.labels]
        probes = len(emitter.probes)
        emit(emitter)
        if [len(labels) for labels in emitter.labels] != [2 * total for total in totals]:
            raise AssertionError(f"{name}: two iterations differ")
    return Segment(
        name=name,
        queues=tuple(
            tuple(
                Wait(i.unit, i.count - totals[i.unit]) if isinstance(i, Wait) else i
                for i in emitter.queues[unit][lengths[unit] :]
            )
            for unit in Unit
        ),
        labels=tuple(tuple(emitter.labels[unit][totals[unit] :]) for unit in Unit),
        repeat=repeat,
        base=base,
        base_step=base_step,
        probes=tuple(replace(p, index=p.index - totals[p.unit]) for p in emitter.probes[probes:]),
        names=names,
    )
