"""What is played: programs on a memory that stalls, fails and falls silent, and in spite of resets."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import numpy as np

from intarsia.arch.isa import INSTRUCTION_BYTES, Load, Lookup, Space, Store, Unit, Wait
from intarsia.arch.legal import PORT
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Region, Segment
from intarsia.hw.interfaces.axi import bus_width
from intarsia.hw.interfaces.ports import BUS_ERROR
from intarsia.hw.sequencer.control import CODE
from intarsia.hw.sequencer.sequencer import WATCHDOG_ERROR
from intarsia.sim.bus.case import Answer, BadAnswer, Case, Run, Stop, Writes
from intarsia.sim.bus.design import MACHINE
from intarsia.sim.bus.material import Material, Place, encoded, random_material, touches
from intarsia.sim.bus.monitor import CHANNELS
from intarsia.sim.bus.wrong import KINDS, Wrong, spoiled

ALL = tuple(" ".join(channel) for channel in CHANNELS)
BAD: tuple[BadAnswer, ...] = get_args(BadAnswer)
SPACES = {
    Unit.ARRAY: Space.STATIONARY,
    Unit.LAYERNORM: Space.CONSTANTS,
    Unit.ELEMENTWISE: Space.TABLE,
}
"""What a unit reads, beside the scratchpad and its parameters."""


def stalls(rng: random.Random) -> frozenset[str]:
    """Some channels, mostly all."""
    return frozenset(ALL if rng.random() < 0.6 else rng.sample(ALL, rng.randint(1, 6)))


def crowd(seed: int) -> Material:
    """A short program: once the memories are filled, LOAD, STORE and another unit run side by side."""
    rng = random.Random(seed)
    third = rng.choice([unit for unit in Unit if unit not in (Unit.LOAD, Unit.STORE)])
    while True:
        material = random_material(MACHINE, rng.randrange(1 << 30), instructions=40, repeat=1)
        fill, middle = material.program.segments[:2]
        kept = (Unit.LOAD, Unit.STORE, third)
        queues = [
            tuple(op for op in queue if unit in kept and not isinstance(op, Wait))
            for unit, queue in zip(Unit, middle.queues, strict=True)
        ]
        if all(queues[unit] for unit in kept):
            break
    spaces = {Space.SCRATCHPAD, Space.PARAMETERS, SPACES.get(third)}
    loads = tuple(op for op in fill.queues[0] if isinstance(op, Load) and op.space in spaces)
    segments = (
        _segment("fill", {Unit.LOAD: loads}),
        _segment("crowd", dict(zip(Unit, queues, strict=True))),
    )
    return Material(replace(material.program, segments=segments), material.dram)


def _segment(name: str, queues: dict[Unit, tuple[object, ...]]) -> Segment:
    lists = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple(name for op in queue if not isinstance(op, Wait)) for queue in lists)
    return Segment(name, lists, labels)  # type: ignore[arg-type]


def smooth(seed: int) -> Case:
    """A memory that never stalls."""
    material = random_material(MACHINE, seed)
    return Case(f"smooth {seed}", seed, (material.run("all of it", material.writes),))


def stalled(seed: int) -> Case:
    """Twice, the second time without being loaded."""
    rng, material = random.Random(seed), random_material(MACHINE, seed)
    runs = material.run("at first", material.writes), material.run("again", ())
    return Case(f"stalled {seed}", seed, runs, stalls(rng))


def wrong(seed: int) -> Case:
    """Errors of instructions anywhere in a random program."""
    rng = random.Random(seed)
    return Case(f"wrong {seed}", seed, _wrong(random_material(MACHINE, seed), rng, 2, 0), stalls(rng))


def crowded(seed: int) -> Case:
    """Errors of instructions, and of the bus, while both directions of the memory port are at work."""
    rng = random.Random(seed)
    return Case(f"crowded {seed}", seed, _wrong(crowd(seed), rng, 4, 1), frozenset(ALL))


def _wrong(material: Material, rng: random.Random, count: int, first: int) -> tuple[Run, ...]:
    """Runs that an error ends, then one that comes to its end."""
    runs, writes = [], material.writes
    for _ in range(count):
        kind = rng.choice((*KINDS, "bus", "bus"))
        if kind == "bus":
            runs.append(bus_error(material, writes, rng))
            writes = ()
        elif found := spoiled(material, kind, rng, first):
            runs.append(_failing(material, kind, writes, found))
            writes = found.undo
    return (*runs, material.run("mended", writes))


def _failing(material: Material, kind: str, writes: Writes, found: Wrong) -> Run:
    dram = {} if found.dram is None else {"dram": found.dram}
    return material.failing(kind, (*writes, *found.writes), found.stop, **dram)


def bus_error(material: Material, writes: Writes, rng: random.Random) -> Run:
    """A word, of any that are loaded or stored, that answers in any wrong way."""
    unit = rng.choice([u for u in (Unit.LOAD, Unit.STORE) if any(True for _ in touches(material, u))])
    return _bad_answer(material, writes, rng, unit, rng.choice(BAD))


def _bad_answer(
    material: Material, writes: Writes, rng: random.Random, unit: Unit, answer: BadAnswer
) -> Run:
    """A word that does not answer as it should ends the first instruction that touches it."""
    word, place, iteration = _touched(material, unit, rng)
    stop = Stop(BUS_ERROR, unit, material.numbers.index(place.segment), iteration, place.index)
    return material.failing(f"{answer} at {word:#x}", writes, stop, answers={word: answer})


def broken_bus(seed: int) -> Case:
    """Words that do not answer, in a random program."""
    rng, material = random.Random(seed), random_material(MACHINE, seed)
    runs = bus_error(material, material.writes, rng), bus_error(material, (), rng)
    return Case(f"broken bus {seed}", seed, (*runs, material.run("mended", ())), stalls(rng))


def answers(seed: int) -> Case:
    """Every wrong answer, to a LOAD and to a STORE."""
    rng, material = random.Random(seed), crowd(seed)
    runs = [
        _bad_answer(material, () if k else material.writes, rng, unit, answer)
        for k, (unit, answer) in enumerate(product((Unit.LOAD, Unit.STORE), BAD))
    ]
    return Case(f"answers {seed}", seed, (*runs, material.run("mended", ())), stalls(rng))


def _touched(material: Material, unit: Unit, rng: random.Random) -> tuple[int, Place, int]:
    """A word of DRAM and who touches it first."""
    first: dict[int, tuple[Place, int]] = {}
    each = []
    for place, iteration, words in touches(material, unit):
        each.append(sorted(words))
        for word in words:
            first.setdefault(word, (place, iteration))
    word = rng.choice(rng.choice(each))
    return word, *first[word]


def deadlock(seed: int) -> Case:
    """Two units that wait for each other, in a segment where others go on; then waits that are met."""
    rng, material = random.Random(seed), random_material(MACHINE, seed)
    number = rng.randrange(1, len(material.program.segments) - 1)
    totals = [len(labels) for labels in material.program.segments[number].labels]
    one, other = rng.sample([unit for unit in Unit if totals[unit]], 2)
    places = Place(number, one, 0), Place(number, other, 0)
    waits = (other, totals[other]), (one, totals[one])
    good = material
    for place, (unit, _) in zip(places, waits, strict=True):
        good = _inserted(good, place, Wait(unit, 0))
    bad = good
    undo: list[tuple[int, int]] = []
    for place, (unit, count) in zip(places, waits, strict=True):
        bad = bad.changed(place, Wait(unit, count))
        undo += good.words(place, encoded(Wait(unit, 0)))
    runs = bad.failing("for ever", bad.writes, bad.stop(places[0])), good.run("met", tuple(undo))
    return Case(f"deadlock {seed}", seed, runs, stalls(rng))


def _inserted(material: Material, place: Place, op: Wait) -> Material:
    segments = list(material.program.segments)
    queues = [list(queue) for queue in segments[place.segment].queues]
    queues[place.unit].insert(place.index, op)
    segments[place.segment] = replace(segments[place.segment], queues=tuple(map(tuple, queues)))
    return Material(replace(material.program, segments=tuple(segments)), material.dram)


def silent(seed: int) -> Case:
    """The memory ceases to answer, at a word or on a channel, until it is mended or reset."""
    rng, material = random.Random(seed), random_material(MACHINE, seed)
    runs, writes = [], material.writes
    for _ in range(2):
        by_reset = rng.random() < 0.5
        runs.append(_silent(material, writes, rng, by_reset))
        writes = material.again if by_reset else ()
    return Case(f"silent {seed}", seed, (*runs, material.run("mended", writes)), stalls(rng))


def _silent(material: Material, writes: Writes, rng: random.Random, by_reset: bool) -> Run:
    unit = rng.choice((Unit.LOAD, Unit.STORE))
    changes: dict[str, Any]
    if rng.random() < 0.5:
        channel = rng.choice(("ar", "r") if unit is Unit.LOAD else ("aw", "w", "b"))
        place, iteration, _ = next(touches(material, unit))
        name, changes = f"{channel} closed", {"closed": f"m_axi {channel}"}
    else:
        iteration = 1
        while iteration:  # the emulator's wait below holds from the first iteration on
            word, place, iteration = _touched(material, unit, rng)
        name, changes = f"silence at {word:#x}", {"answers": {word: "silent"}}
    # The emulator stops at the same place for a WAIT that is an error; the code is the watchdog's.
    total = len(material.program.segments[place.segment].labels[unit])
    stop = replace(material.changed(place, Wait(unit, total + 1)).stop(place), code=WATCHDOG_ERROR)
    return material.failing(name, writes, stop, stuck=True, by_reset=by_reset, **changes)


def resets(seed: int) -> Case:
    """Resets at any time; afterwards only the number of segments has to be written again."""
    rng = random.Random(seed)
    material = crowd(seed) if rng.random() < 0.7 else random_material(MACHINE, seed)
    writes = material.writes
    runs = []
    whole = material.run("mended", material.again)
    for _ in range(4):
        after = rng.randrange(int(1.5 * whole.cycles))
        runs.append(material.run(f"reset after {after}", writes, reset_after=after))
        writes = material.again
    return Case(f"resets {seed}", seed, (*runs, whole), stalls(rng))


def fetched(seed: int) -> Case:
    """Programs that the machine fetches itself; words of them that answer with an error or not at all, and
    resets meanwhile."""
    rng, material = random.Random(seed), random_material(MACHINE, seed)
    work = material.job
    writes = tuple((int(at), int(word)) for at, word in work.writes[:-1])
    again = (*material.again, (CODE, work.code_at))
    runs = [material.fetched("at first", writes)]
    for answer in rng.sample(BAD, 2):
        word, stop = _of_code(material, BUS_ERROR, rng)
        runs.append(material.fetched(f"{answer} at {word:#x}", (), stop, answers={word: answer}))
    after = rng.randrange(1000)
    runs.append(replace(material.fetched(f"reset after {after}", ()), reset_after=after))
    word, stop = _of_code(material, WATCHDOG_ERROR, rng)
    silent: dict[int, Answer] = {word: "silent"}
    runs.append(material.fetched(f"silence at {word:#x}", again, stop, answers=silent, stuck=True))
    return Case(f"fetched {seed}", seed, (*runs, material.fetched("mended", ())), stalls(rng))


def _of_code(material: Material, code: int, rng: random.Random) -> tuple[int, Stop]:
    """A word of the instructions in DRAM, and the error of the machine that fetches it."""
    places = []
    for segment, k in enumerate(material.numbers):
        for unit, queue in zip(Unit, material.program.segments[k].queues, strict=True):
            places += [Stop(code, unit, segment, 0, index) for index in range(len(queue))]
    number = rng.randrange(len(places))
    word = INSTRUCTION_BYTES * number + rng.randrange(0, INSTRUCTION_BYTES, bus_width(MACHINE))
    return material.job.code_at + word, places[number]


def conflicts(seed: int) -> Case:
    """Two units at one port of a bank: the lower one is to blame. LOOKUP's matrix is another each time."""
    rng = random.Random(seed)
    runs: list[Run] = []
    for unit in (Unit.STORE, Unit.LOAD):
        material = _meeting(MACHINE, unit, rng, together=True)
        stop = Stop(PORT, unit, 0, 0, 0)
        runs.append(material.failing(f"{unit.name.lower()} and lookup", material.writes, stop))
    material = _meeting(MACHINE, Unit.LOAD, rng, together=False)
    return Case(f"conflicts {seed}", seed, (*runs, material.run("apart", material.writes)))


def _meeting(machine: Machine, unit: Unit, rng: random.Random, *, together: bool) -> Material:
    """LOAD writes, or STORE reads, a bank while LOOKUP does."""
    size = machine.bank_bytes
    mine, source, target = rng.sample(range(machine.banks), 3)
    if together:
        mine = source if unit is Unit.STORE else target
    op = (
        Load(0, Space.SCRATCHPAD, mine * size, size)
        if unit is Unit.LOAD
        else Store(size, mine * size, size)
    )
    lookup = Lookup(source * size, target * size, 4, 200, 256, 256)
    segment = _segment("meeting", {unit: (op,), Unit.ELEMENTWISE: (lookup,)})
    regions = (Region("in", 0, size, "weights"), Region("out", size, size, "activations"))
    dram = np.random.default_rng(rng.randrange(1 << 30)).integers(0, 256, 2 * size, dtype=np.uint8)
    return Material(Program(machine, (segment,), regions, 2 * size, "uint8"), dram)


CASES: dict[str, Callable[[int], Case]] = {
    "smooth": smooth,
    "stalled": stalled,
    "wrong": wrong,
    "crowded": crowded,
    "broken_bus": broken_bus,
    "answers": answers,
    "deadlock": deadlock,
    "silent": silent,
    "resets": resets,
    "conflicts": conflicts,
    "fetched": fetched,
}
"""By name."""
