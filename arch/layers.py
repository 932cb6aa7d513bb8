"""Times of layers, from the times of the instructions that work for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import INSTRUCTIONS, Instruction, Unit, Wait
from intarsia.arch.isa.transfer import Transfer
from intarsia.arch.program import Program


@dataclass(frozen=True)
class Layer:
    """One node of the graph on the machine.

    op: mnemonic of what computes it, or `load`, `store` where it is only moved.
    start, end: from the first start to the last end of its instructions on computing units; loads
    ahead of time and stores behind do not stretch it (unless it is only moved).
    cycles: end - start, shared with other layers where they overlap.  busy: cycles in instructions.
    macs: multiplications.  utilization: macs / (cycles * lanes * depth).
    dram_read, dram_write: bytes moved for it.
    """

    name: str
    op: str
    start: int
    end: int
    cycles: int
    busy: int
    macs: int
    utilization: float
    dram_read: int
    dram_write: int


def layers_of(
    program: Program,
    times: Sequence[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]],
    names: Sequence[str],
) -> tuple[Layer, ...]:
    """The layers by time of start; times: start, end and index into `names` per unit."""
    count = len(names)
    start, end = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
    busy, macs, read, written = (np.zeros(count, np.int64) for _ in range(4))
    ops = np.full(count, -1)
    moved = np.ones(count, bool)
    for unit in Unit:
        if unit not in (Unit.LOAD, Unit.STORE):
            moved[times[unit][2]] = False
    totals = {Unit.LOAD: read, Unit.STORE: written}
    for unit in Unit:
        first, last, label = times[unit]
        kind, amount = _kinds(program, unit)
        np.add.at(totals.get(unit, macs), label, amount)
        chosen = moved[label] if unit in totals else np.ones(len(label), bool)
        label = label[chosen]
        np.minimum.at(start, label, first[chosen])
        np.maximum.at(end, label, last[chosen])
        np.add.at(busy, label, last[chosen] - first[chosen])
        ops[label] = kind[chosen]
    peak = program.machine.lanes * program.machine.depth
    return tuple(
        Layer(
            name=names[i],
            op=_MNEMONICS[ops[i]],
            start=int(start[i]),
            end=int(end[i]),
            cycles=int(end[i] - start[i]),
            busy=int(busy[i]),
            macs=int(macs[i]),
            utilization=int(macs[i]) / (int(end[i] - start[i]) * peak),
            dram_read=int(read[i]),
            dram_write=int(written[i]),
        )
        for i in np.argsort(start, kind="stable")
    )


_MNEMONICS = tuple(kind.mnemonic() for kind in INSTRUCTIONS if kind is not Wait)


def _kinds(program: Program, unit: Unit) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per instruction of a unit: its mnemonic's number, and MACs of products or bytes of moves."""
    kinds, amounts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for segment in program.segments:
        queue = [one for one in segment.queues[unit] if not isinstance(one, Wait)]
        numbers = [_MNEMONICS.index(one.mnemonic()) for one in queue]
        kinds.append(np.tile(np.array(numbers, np.int64), segment.repeat))
        amounts.append(np.tile(np.array([_amount(one) for one in queue], np.int64), segment.repeat))
    return np.concatenate(kinds), np.concatenate(amounts)


def _amount(instruction: Instruction) -> int:
    return instruction.bytes if isinstance(instruction, Transfer) else instruction.macs
