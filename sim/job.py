"""What the simulator's process is told to play, and what it reports: plain integers, no arrays."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Play:
    """A transaction, packed: payloads by input stream, payloads expected on `o`."""

    name: str
    inputs: dict[str, list[int]]
    output: list[int]
    cycles: int
    """Of a timed phase; 0: none."""


@dataclass(frozen=True)
class Phase:
    """Plays by index, in one of three ways.

    timed : one after the other, inputs always valid and `o` always ready; cycles are measured
    otherwise : all streams run ahead as they may; in a cycle an input has a beat to offer with the
    probability `offer`, and `o` is ready with the probability `take`; if `waits`, not before it is valid
    reset_after : reset in this cycle, then nothing of what was under way may leave
    """

    plays: list[int]
    timed: bool = False
    offer: float = 1.0
    take: float = 1.0
    waits: bool = False
    reset_after: int | None = None


@dataclass(frozen=True)
class Job:
    """inputs : names of the input streams;  constants : values of further ports, held all the time;
    patience : cycles without any transfer after which the unit counts as hung;  stop_at : errors after
    which to stop;  ours : RTL of our own, which takes just the cycles of a play, and in which no path leads
    from an input to an output without a register."""

    inputs: list[str]
    plays: list[Play]
    phases: list[Phase]
    seed: int
    constants: dict[str, int] = field(default_factory=dict)
    patience: int = 20000
    stop_at: int = 100
    ours: bool = True


@dataclass(frozen=True)
class Wrong:
    """A beat that differs: `got` of beat `beat` of play `play` in phase `phase`, in cycle `cycle`."""

    phase: int
    play: int
    beat: int
    got: int
    cycle: int


@dataclass
class Report:
    """cycles : simulated;  beats : compared, by play;  wrong : beats that differ;  errors : sentences about
    anything else (protocol, timing, a hang, a beat too many);  phase : of the first of these;  late : those
    of them that are about timing;  measured : cycles from command to last result, by play that was timed"""

    cycles: int = 0
    phase: int = 0
    beats: dict[int, int] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    measured: dict[int, int] = field(default_factory=dict)
