"""Random programs: every unit busy in banks of its own, with waits that are met, and all of it stored.

A first segment fills the memories on the chip, the others hold random instructions, the last stores the
scratchpad. Units run side by side, each on its own part of the scratchpad, so that any order of their
instructions gives the same result and no port is held twice; within a unit everything may touch what
came before. What the program computes and when is up to the emulator to say.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import Instruction, Load, Space, Store, Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Region, Segment
from intarsia.arch.random_instruction import AREAS, SPARE_BYTES, Chip, Maker


def least_banks() -> int:
    """Of a machine that random programs run on."""
    return sum(AREAS.values())


def random_program(
    machine: Machine, seed: int, *, instructions: int = 14, repeat: int = 3, whole: bool = False
) -> tuple[Program, NDArray[np.uint8]]:
    """A program of about so many instructions, and the DRAM that it starts with; reproducible.

    The machine needs at least one bank per area, 14. The memories on the chip are filled in pieces, or each
    as a `whole`.
    """
    rng = np.random.default_rng(seed)
    chip = Chip(machine, rng)
    align = max(64, machine.memory_width)
    address = 0
    regions = []

    def region(name: str, size: int, kind: str) -> int:
        nonlocal address
        at = address
        regions.append(Region(name, at, size, kind))
        address = -(-(at + size) // align) * align
        return at

    # What the memories on the chip hold, in pieces that have anything beside them in DRAM.
    shifts = np.random.default_rng((seed, 1))
    pieces = []
    for space, low, high in _wholes(chip) if whole else _pieces(chip, shifts):
        shift = 0 if whole else int(shifts.integers(align))
        at = region(space.name.lower(), shift + high - low, "weights") + shift
        pieces.append((at, space, low, high))
    spare_in = region("spare", SPARE_BYTES, "weights")
    spare_out = region("stored", SPARE_BYTES, "activations")
    dump = region("dump", machine.scratchpad_bytes, "labels")
    maker = Maker(chip, (spare_in, spare_out))
    middle = [_middle(maker, f"random{k}", instructions, repeat) for k in range(1 + maker.below(2))]
    once: dict[str, Any] = dict.fromkeys(("count1", "count2"), 1)
    once |= dict.fromkeys(("dram_stride1", "dram_stride2", "stride1", "stride2"), 0)
    fill = [
        Load(dram=at, space=space, address=low, size=high - low, **once) for at, space, low, high in pieces
    ]
    take = Store(dram=dump, address=0, size=machine.scratchpad_bytes, **once)
    segments = (_segment("fill", {Unit.LOAD: fill}), *middle, _segment("dump", {Unit.STORE: [take]}))
    dram = rng.integers(0, 256, address, dtype=np.uint8)
    for at, space, low, high in pieces:
        dram[at : at + high - low] = chip.spaces[space][low:high]
    program = Program(machine, segments, tuple(regions), address, "uint8")
    program.check()
    return program, dram


def _wholes(chip: Chip) -> list[tuple[Space, int, int]]:
    """All memories on the chip, from their first byte to their end."""
    return [(space, 0, len(data)) for space, data in chip.spaces.items()]


def _pieces(chip: Chip, rng: np.random.Generator) -> list[tuple[Space, int, int]]:
    """The same in pieces, in any order."""
    pieces = []
    for space, _, end in _wholes(chip):
        cuts = sorted({0, end, *rng.integers(1, end, rng.integers(4)).tolist()})
        pieces += [(space, low, high) for low, high in pairwise(cuts)]
    return [pieces[k] for k in rng.permutation(len(pieces))]


def _middle(maker: Maker, name: str, instructions: int, repeat: int) -> Segment:
    queues: dict[Unit, list[Instruction]] = {unit: [] for unit in Unit}
    done = dict.fromkeys(Unit, 0)
    for _ in range(instructions):
        unit = Unit(maker.below(len(Unit)))
        instruction = maker.one(unit)
        if instruction is None:
            continue
        for _ in range(maker.below(3)):
            other = Unit(maker.below(len(Unit)))
            queues[unit].append(Wait(other, maker.below(done[other] + 4) - 3))
        queues[unit].append(instruction)
        done[unit] += 1
    times = 1 + maker.below(repeat)
    step = maker.machine.memory_width * maker.below(9)
    return _segment(name, queues, times, step)


def _segment(name: str, queues: dict[Unit, list[Any]], repeat: int = 1, base_step: int = 0) -> Segment:
    lists = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple(name for i in queue if not isinstance(i, Wait)) for queue in lists)
    return Segment(name, lists, labels, repeat, 0, base_step)
