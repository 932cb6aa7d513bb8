"""Ways to make one instruction of a program wrong, and what the machine must say of each."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import (
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Store,
    Unit,
    Wait,
)
from intarsia.arch.legal import FIELD
from intarsia.arch.machine import PARAMETER_BYTES
from intarsia.model.integer.constants import MAX_SHIFT
from intarsia.sim.bus.case import Stop, Writes
from intarsia.sim.bus.material import Material, Place, encoded

KINDS = ("opcode", "field", "address", "dram", "param", "port", "wait")
FAR = 1 << 20
"""Beyond all memories on the chip."""


@dataclass(frozen=True)
class Wrong:
    """What makes it so: words of the program, or other contents of DRAM; and what comes of it."""

    stop: Stop
    writes: Writes = ()
    undo: Writes = ()
    dram: bytes | None = None


def spoiled(material: Material, kind: str, rng: random.Random, first: int = 0) -> Wrong | None:
    """One of the program's instructions, from segment `first` on, made wrong; None where it has none that
    can be wrong in this way."""
    places = list(material.places())
    rng.shuffle(places)
    for place, op in places:
        if place.segment >= first and (found := _spoiled(material, kind, place, op, rng)):
            return found
    return None


def _spoiled(material: Material, kind: str, place: Place, op: Any, rng: random.Random) -> Wrong | None:
    if isinstance(op, Wait) != (kind == "wait"):
        return None
    words = encoded(op)
    undo = material.words(place, words)
    if kind == "wait":
        total = sum(
            not isinstance(i, Wait) for i in material.program.segments[place.segment].queues[op.unit]
        )
        if rng.random() < 0.5:
            words[1] = rng.choice((7, 8, 1 << 31))
        else:
            words[2] = total + rng.randint(1, 3)
        stop = Stop(FIELD, place.unit, material.numbers.index(place.segment), 0, place.index)
        return Wrong(stop, material.words(place, words), undo)
    if kind == "param":
        dram = _param(material, op, rng)
        if dram is None:
            return None
        return Wrong(Material(material.program, dram).stop(place), dram=dram.tobytes())
    made = {"opcode": _opcode, "field": _field, "address": _address, "dram": _dram, "port": _port}[kind](
        op, place.unit, words, rng
    )
    if made is None:
        return None
    bad, words = made
    return Wrong(material.changed(place, bad).stop(place), material.words(place, words), undo)


Made = tuple[Instruction, list[int]] | None
"""An instruction at which the emulator says the same as the machine at the words."""


def _opcode(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """Unknown, or another unit's."""
    other: Instruction = Lookup(0, 0, 1, 1, 16, 16)
    if unit is Unit.ELEMENTWISE:
        other = Gelu(0, 0, 1, 1, 16, 16, 0)
    if rng.random() < 0.5:
        return other, encoded(other)
    return other, [words[0] & ~255 | rng.choice((0, 12, 99, 255)), *words[1:]]


def _field(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """A size of 0, a bit without a name, more rows than the accumulator has."""
    name = "count1" if isinstance(op, Load | Store) else "m" if isinstance(op, Matmul) else "rows"
    bad = replace(op, **{name: 0})
    words = list(words)
    match rng.randrange(3):
        case 0:
            words[4] &= rng.choice((0xFFFF, 0xFFFF0000))
        case 1 if isinstance(op, Matmul):
            words[4] |= 0x8000
        case _:
            words[0] |= 1 << 12 + rng.randrange(4)
    return bad, words


def _address(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """An operand beyond its memory."""
    names = [name for name in ("address", "source", "target", "x", "identity", "out") if hasattr(op, name)]
    if isinstance(op, Matmul) and op.layout is not Layout.PACKED:
        names.append("y")
    bad = replace(op, **{rng.choice(names): rng.choice((FAR, FAR + 4096, (1 << 32) - 16))})
    return bad, encoded(bad)


def _dram(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """A piece, not always the first, that ends beyond 2^32."""
    if not isinstance(op, Load | Store):
        return None
    if rng.random() < 0.5 and op.count1 > 1:
        bad = replace(op, dram_stride1=(1 << 32) - 1 - op.dram)
    else:
        bad = replace(op, dram=(1 << 32) - 1, size=max(op.size, 2), based=False)
    return bad, encoded(bad)


def _port(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """Two operands in one bank."""
    if not isinstance(op, Residual):
        return None
    bad = replace(op, identity=op.x, identity_stride=op.x_stride)
    return bad, encoded(bad)


def _param(material: Material, op: Any, rng: random.Random) -> NDArray[np.uint8] | None:
    """DRAM in which the instruction's parameter word is out of range."""
    if not isinstance(op, Residual | Gelu | Layernorm | Matmul | Shiftmax):
        return None
    if isinstance(op, Matmul) and op.layout is Layout.PACKED:
        return None
    (region,) = (r for r in material.program.regions if r.name == "parameters")
    dram = material.dram.copy()
    at = region.address + PARAMETER_BYTES * op.param + 4
    dram[at] = 0 if isinstance(op, Shiftmax) else rng.randint(MAX_SHIFT + 1, 255)
    return dram
