"""What the simulator's process is told to do, and what it reports; it knows programs as bytes only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Writes = tuple[tuple[int, int], ...]
"""Of registers: address and word."""
BadAnswer = Literal["decerr", "exokay", "id", "slverr"]
"""Of a word of DRAM, a bus error each: an error, the OK of an exclusive access, another id."""
Answer = BadAnswer | Literal["silent"]
"""How a word of DRAM answers that is not as it should be: a bus error, or never."""


@dataclass(frozen=True)
class Stop:
    """The error that the machine must report, as its registers do."""

    code: int
    unit: int
    segment: int
    iteration: int
    index: int

    def __str__(self) -> str:
        place = f"unit {self.unit}, segment {self.segment}, iteration {self.iteration}, index {self.index}"
        return f"error {self.code} at {place}"


@dataclass(frozen=True)
class Run:
    """One start of the machine.

    writes : before it;  dram : contents before it;  start : what is written to start it
    answers : words of DRAM that answer in another way, by address;  closed : a channel that takes nothing
    wanted : contents at the end;  fixed : bytes first..end that must not change, where an error ends it
    stop : the error that ends it, if any
    cycles : that it takes at least;  busy : by unit, cycles in its instructions, None where that is open
    reset_after : cycles after which it is cut short, to be loaded as a machine that is done: what
        `wanted` and `stop` say does not count then
    stuck : what ends it must leave it running, until the memory is as it should be, or with `by_reset`
        for ever
    limit : cycles after which it counts as a deadlock
    """

    name: str
    writes: Writes
    dram: bytes
    wanted: bytes | None = None
    start: int = 1
    fixed: tuple[tuple[int, int], ...] = ()
    stop: Stop | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    closed: str | None = None
    cycles: int = 0
    busy: tuple[int | None, ...] = ()
    reset_after: int | None = None
    stuck: bool = False
    by_reset: bool = False
    limit: int = 200_000


@dataclass(frozen=True)
class Case:
    """Runs one after the other from a reset. `stalls`: channels that pause at random, as `m_axi r`."""

    name: str
    seed: int
    runs: tuple[Run, ...]
    stalls: frozenset[str] = frozenset()


@dataclass
class Report:
    """faults : sentences;  cycles : simulated;  bursts : on the memory port;  runs : that came to their end
    in_flight : errors that stopped the machine while the memory owed bursts"""

    faults: list[str] = field(default_factory=list)
    cycles: int = 0
    bursts: int = 0
    runs: int = 0
    in_flight: int = 0
