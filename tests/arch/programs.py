"""Small programs, by hand and at random, for tests of everything that runs or times programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from intarsia.arch.duration import cycles
from intarsia.arch.isa import Argmax, Instruction, Load, Matmul, Space, Store, Unit, Wait
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Segment
from tests.arch.machines import MACHINE

Queues = Mapping[Unit, Sequence[Instruction]]

LOAD = Load(0, Space.SCRATCHPAD, 0, 96)  # 4 + 100 + 6 = 110 cycles
STORE = Store(0, 0, 16)  # 105 cycles
MATMUL = Matmul(0, 0, 0, 100, 32, 32, 0, 0, 0)
ARGMAX = Argmax(0, 0, 8, 32, 0)
T, A = cycles(MATMUL, MACHINE), cycles(ARGMAX, MACHINE)


def segment(queues: Queues, repeat: int = 1, label: str = "node", name: str = "s") -> Segment:
    parts = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple(label for one in part if not isinstance(one, Wait)) for part in parts)
    return Segment(name, parts, labels, repeat)


def program(*segments: Segment, machine: Machine = MACHINE) -> Program:
    return Program(machine, segments, (), 1 << 20, "uint8")


SAMPLES: dict[Unit, Instruction] = {
    Unit.LOAD: LOAD, Unit.STORE: STORE, Unit.ARRAY: MATMUL, Unit.ELEMENTWISE: ARGMAX,
}  # fmt: skip


@st.composite
def programs(draw: st.DrawFn, rows: int = 300, size: int = 4000, repeat: int = 9) -> Program:
    """Programs without deadlock: a sequence of instructions that wait for what came before."""
    segments = []
    for _ in range(draw(st.integers(1, 2))):
        order = draw(st.lists(st.sampled_from(list(SAMPLES)), min_size=1, max_size=12))
        queues: dict[Unit, list[Instruction]] = {unit: [] for unit in Unit}
        done = dict.fromkeys(Unit, 0)
        for unit in order:
            for _ in range(draw(st.integers(0, 2))):
                other = draw(st.sampled_from(list(Unit)))
                queues[unit].append(Wait(other, draw(st.integers(-8, done[other]))))
            one: Any = SAMPLES[unit]
            if unit in (Unit.LOAD, Unit.STORE):
                one = replace(one, size=draw(st.integers(1, size)))
            elif unit is Unit.ARRAY:
                one = replace(one, m=draw(st.integers(1, rows)))
            queues[unit].append(one)
            done[unit] += 1
        segments.append(segment(queues, draw(st.integers(1, repeat))))
    return program(*segments)
