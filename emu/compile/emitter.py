"""Instructions in program order to queues per unit, with the waits that they need.

Every access names the bytes that it touches. From these follow the waits: a reader waits for the
last writer, a writer for the last readers and writer, and nobody holds a port of a bank together
with another unit. So a schedule may be written in any sensible order and is right by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Instruction, Space, Unit, Wait
from intarsia.arch.machine import PARAMETER_BYTES, PARAMETERS_BYTES, TABLE_BYTES, Machine
from intarsia.arch.program import Probe, Segment

GRANULE = {
    Space.SCRATCHPAD: 1024,
    Space.STATIONARY: 1024,
    Space.PARAMETERS: PARAMETER_BYTES,
    Space.TABLE: TABLE_BYTES,
}
"""Bytes that are tracked as one: smaller costs time, larger makes units wait for nothing."""


class Access(NamedTuple):
    """Bytes start..stop of an on-chip memory."""

    space: Space
    start: int
    stop: int


def block(address: int, stride: int, rows: int, width: int) -> Access:
    """The scratchpad bytes from the first to the last element of a matrix; `width` in bytes."""
    return Access(Space.SCRATCHPAD, address, address + (rows - 1) * stride + width)


def word(index: int) -> Access:
    """A parameter word."""
    return Access(Space.PARAMETERS, index * PARAMETER_BYTES, (index + 1) * PARAMETER_BYTES)


def slot(index: int, machine: Machine) -> Access:
    """A slot of row constants."""
    return Access(Space.CONSTANTS, index * machine.slot_bytes, (index + 1) * machine.slot_bytes)


class _History:
    """Last reader and writer of every granule, as 1 + the instruction's number, per unit."""

    def __init__(self, granules: int) -> None:
        self.read = np.zeros((len(Unit), granules), np.int64)
        self.written = np.zeros((len(Unit), granules), np.int64)


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
        self._dram: dict[Hashable, NDArray[np.int64]] = {}
        self.queues: list[list[Instruction]] = [[] for _ in Unit]
        self.labels: list[list[str]] = [[] for _ in Unit]
        self.probes: list[Probe] = []
        self._known: dict[Access, list[tuple[_History, slice, bool]]] = {}
        self._waited = np.zeros((len(Unit), len(Unit)), np.int64)

    def add(
        self,
        unit: Unit,
        instruction: Instruction,
        label: str,
        reads: Sequence[Access] = (),
        writes: Sequence[Access] = (),
        dram_reads: Sequence[Hashable] = (),
        dram_writes: Sequence[Hashable] = (),
    ) -> int:
        """Append an instruction, after the waits for what it touches; its number in the queue.

        dram_reads, dram_writes: names of the parts of DRAM that also others write.
        """
        number = len(self.labels[unit]) + 1
        read_parts = [part for access in reads for part in self._parts(access)]
        write_parts = [part for access in writes for part in self._parts(access)]
        found = [history.written[:, part] for history, part, port in read_parts if not port]
        found += [history.read[:, part] for history, part, port in read_parts if port]
        found += [history.written[:, part] for history, part, _ in write_parts]
        found += [history.read[:, part] for history, part, port in write_parts if not port]
        need = np.concatenate(found, axis=1).max(axis=1) if found else np.zeros(len(Unit), np.int64)
        for name in (*dram_reads, *dram_writes):
            np.maximum(need, self._dram.get(name, 0), out=need)
        need[unit] = 0  # a queue is in order
        for other in np.flatnonzero(need > self._waited[unit]):
            self.queues[unit].append(Wait(Unit(int(other)), int(need[other])))
            self._waited[unit, other] = need[other]
        self.queues[unit].append(instruction)
        self.labels[unit].append(label)
        for history, part, _ in read_parts:
            history.read[unit, part] = number
        for history, part, _ in write_parts:
            history.written[unit, part] = number
        for name in (*dram_reads, *dram_writes):
            self._dram.setdefault(name, np.zeros(len(Unit), np.int64))[unit] = number
        return number - 1

    def _parts(self, access: Access) -> list[tuple[_History, slice, bool]]:
        """What an access touches: granules and, in the scratchpad, the ports of its banks (True)."""
        if access in self._known:
            return self._known[access]
        size = self._granules[access.space]
        parts = [
            (self._histories[access.space], slice(access.start // size, -(-access.stop // size)), False)
        ]
        if access.space == Space.SCRATCHPAD:
            size = self.machine.bank_bytes
            parts.append((self._ports, slice(access.start // size, -(-access.stop // size)), True))
        self._known[access] = parts
        return parts


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
