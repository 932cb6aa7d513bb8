"""Ways to make one instruction of a program wrong, and what the machine must say of each."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import INSTRUCTIONS, Instruction, Space, Unit, Wait
from intarsia.arch.isa.encoding import known_bits
from intarsia.arch.isa.field import Field
from intarsia.arch.isa.instruction import fields_of
from intarsia.arch.isa.limit import Limit
from intarsia.arch.isa.registry import OPCODES
from intarsia.arch.isa.transfer import Transfer
from intarsia.arch.legal import FIELD
from intarsia.arch.machine import PARAMETER_BYTES
from intarsia.sim.bus.case import Stop, Writes
from intarsia.sim.bus.material import Material, Place, encoded

KINDS = ("opcode", "field", "address", "dram", "param", "port", "wait")
FAR = 1 << 20
"""Beyond all memories on the chip."""
WORD = (1 << 32) - 1
"""All bits of a word."""


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
    kind = rng.choice([kind for kind in INSTRUCTIONS if kind.queue not in (unit, None)])
    other = kind(**{one.name: one.type(one.low) for one in fields_of(kind)})
    if rng.random() < 0.5:
        return other, encoded(other)
    return other, [words[0] & ~255 | rng.choice((0, max(OPCODES) + 1, 99, 255)), *words[1:]]


def _field(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """A field out of its own range, one that the machine limits, or a bit without a name."""
    words = list(words)
    bad: list[tuple[Instruction, list[int]]] = []
    for one in fields_of(type(op)):
        if one.low > 0:
            bad.append(_with(op, words, one, one.low - one.scale))
        if one.high < one.most:
            bad.append(_with(op, words, one, one.high + one.scale))
    for limit in op.limits:
        if isinstance(limit, Limit) and limit.of_machine:
            one = next(one for one in fields_of(type(op)) if one.name == limit.field)
            bad.append(_with(op, words, one, one.high))
    known, _, _ = known_bits(op.opcode)
    number = rng.choice([k for k, bits in enumerate(known) if bits != WORD])
    bits = [k for k in range(32) if not known[number] >> k & 1]
    # The emulator knows no such bits: a size of 0 is an error of the same code.
    words[number] |= 1 << rng.choice(bits)
    count = next(one for one in fields_of(type(op)) if one.low == 1 and one.type is int)
    return rng.choice([*bad, (replace(op, **{count.name: 0}), words)])


def _with(op: Any, words: list[int], one: Field, value: int) -> tuple[Instruction, list[int]]:
    """With another value of a field."""
    changed = list(words)
    changed[one.word] &= ~one.mask
    changed[one.word] |= value // one.scale << one.shift & one.mask
    return replace(op, **{one.name: value}), changed


def _address(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """An operand beyond its memory on the chip."""
    names = [
        one.name
        for one in op.present()
        if one.address is None and one.space not in (Space.DRAM, Space.STATIONARY)
    ]
    bad = replace(op, **{rng.choice(names): rng.choice((FAR, FAR + 4096, (1 << 32) - 16))})
    return bad, encoded(bad)


def _dram(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """A piece, not always the first, that ends beyond 2^32."""
    if not isinstance(op, Transfer):
        return None
    if rng.random() < 0.5 and op.count1 > 1:
        bad = replace(cast(Any, op), dram_stride1=(1 << 32) - 1 - op.dram)
    else:
        bad = replace(cast(Any, op), dram=(1 << 32) - 1, size=max(op.size, 2), based=False)
    return bad, encoded(bad)


def _port(op: Any, unit: Unit, words: list[int], rng: random.Random) -> Made:
    """Two operands of one shape in one place."""
    sources = [one for one in op.present() if not one.write and one.memory(op) is Space.SCRATCHPAD]
    if len(sources) < 2 or len({(one.rows, one.columns) for one in sources}) > 1:
        return None
    first, second = sources
    places = ((first.name, second.name), (first.stride, second.stride))
    bad = replace(op, **{new: getattr(op, old) for old, new in places})
    return bad, encoded(bad)


def _param(material: Material, op: Any, rng: random.Random) -> NDArray[np.uint8] | None:
    """DRAM in which a scalar of the instruction's parameter word is out of range."""
    if not any(one.space is Space.PARAMETERS for one in op.present()):
        return None
    record = op.parameter()
    scalar = rng.choice([one for one in record.scalars if one.limited])
    wrong = [(scalar.high + 1, scalar.most)] * (scalar.high < scalar.most)
    wrong += [(scalar.least, scalar.low - 1)] * (scalar.low > scalar.least)
    (region,) = (r for r in material.program.regions if r.name == "parameters")
    dram = material.dram.copy()
    word = dram[region.address + PARAMETER_BYTES * op.param :][:PARAMETER_BYTES]
    word.view(record.dtype)[scalar.name] = rng.randint(*rng.choice(wrong))
    return dram
