"""What a bench drives into a unit and what must leave it, as integer arrays.

A `Transaction` is one command, the beats of every input stream, and the beats that the reference
says must leave. It knows nothing of simulators: the cocotb driver plays it, `sim.vectors` writes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Beats = dict[str, Ints]
"""Field of the payload -> [beats] or, for an array field, [beats, lanes]. A payload that is no struct
has the one field ''."""


@dataclass(frozen=True)
class Transaction:
    """One command with its data.

    name : what it exercises, in a few words
    inputs : beats by input stream; `command` has one beat
    output : beats of the stream `o`
    values : how many of the output's numbers the reference computed; the rest are zeros behind a row
    cycles : from the command's acceptance to the last result, unless something stalls (emu.duration)
    bins : coverage bins that it hits
    """

    name: str
    inputs: dict[str, Beats]
    output: Beats
    values: int
    cycles: int
    bins: frozenset[str] = frozenset()


class Bench(ABC):
    """Stimulus and expectation for one kind of core.

    BINS names every coverage bin; `core` is the elaborated core, whose parameters it reads.
    """

    BINS: ClassVar[tuple[str, ...]]

    def __init__(self, core: Any) -> None:
        self.core = core

    @abstractmethod
    def directed(self, rng: np.random.Generator) -> Iterator[Transaction]:
        """The corners, each once. Together they hit every bin."""

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Iterator[Transaction]:
        """Constrained random transactions without end, most of them short."""

    def exhaustive(self) -> Iterator[Transaction]:
        """What is played once only, back to back: every input of a space that is small enough, or what
        takes long; most units have neither."""
        return iter(())


def to_beats(rows: Ints, lanes: int, rng: np.random.Generator | None = None, bits: int = 8) -> Ints:
    """Rows [rows, length] cut into beats [rows * ceil(length / lanes), lanes], every row beginning a beat.

    Lanes behind the end of a row are zeros, or with `rng` signed noise of so many bits: what an
    input stream may carry there.
    """
    count, length = rows.shape
    beats = -(-length // lanes)
    if rng is None:
        padded = np.zeros((count, beats * lanes), np.int64)
    else:
        padded = rng.integers(-(1 << bits - 1), 1 << bits - 1, (count, beats * lanes))
    padded[:, :length] = rows
    return padded.reshape(count * beats, lanes)


def counter_sizes(lanes: int) -> list[tuple[int, int]]:
    """Rows and lengths of 16 bits that use every bit of the counters of rows and beats: in the beats of
    a row each bit by itself, which a comparison might miss, and all of them together. Rows also begin
    amid a power of two: a bit that toggles wrongly may come out right over a whole one."""
    most = (1 << 16) - 1
    lengths = [length for bit in range(16) if (length := (lanes << bit) + 1) <= most]
    return [*((2, length) for length in lengths), (2, most), (most, 1), (101, 1), (1445, 1)]
