"""What all stages are: parts of a network that occur once, around the stacks of blocks.

A stage is a dataclass of the nodes that it computes. What these need of DRAM follows from their operators
(`places.py`), and so does what they need of the machine (`limits.py`). A stage that ends the network is a
`Tail`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from intarsia.emu.compile.context import Context
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.walk import Walk
from intarsia.model.integer.graph import Node

Keep = Callable[[str, int], int]
"""keep(name, bytes): a place in DRAM for something that does not fit on chip."""


def keep_nothing(name: str, size: int) -> int:
    """The `Keep` of those that only plan memory."""
    return 0


class Stage(ABC):
    """A part of the network that occurs once."""

    @property
    @abstractmethod
    def nodes(self) -> tuple[Node, ...]:
        """All but those that only cut out rows, in the order of their constants in DRAM."""


@dataclass(frozen=True)
class Tail(Stage):
    """All from the output of the last stack to one output of the network."""

    ENDS: ClassVar[tuple[tuple[str, ...], ...]]
    """Operators by which such a tail is known, each from the output's node back along first inputs."""

    output: Node
    """Makes the tensor that leaves."""

    @property
    @abstractmethod
    def reader(self) -> Node:
        """The node, or one of them, that reads the output of the last stack."""

    @property
    def stream(self) -> str:
        """The tensor that the last stack makes."""
        return self.reader.inputs[0]

    @classmethod
    @abstractmethod
    def find(cls, walk: Walk, output: Node) -> Tail:
        """The tail that ends in `output`; InputError names the node that does not fit in."""

    @abstractmethod
    def emit(self, context: Context, places: Places, x: Matrix, keep: Keep) -> None:
        """The last stack's output x to the tensor in DRAM."""
