"""The stages of a network around its stacks of blocks: one file each, which finds and emits it.

What a new file needs: a dataclass of its nodes with `find`, and `emit`. A `Tail` stands in `TAILS` below; a
new step between the embedding's product and the first block is one of `tokens.py`, a new row for a
classifier one of `row.py`.
"""

from __future__ import annotations

from intarsia.emu.compile.stages.classifier import Classifier
from intarsia.emu.compile.stages.features import Features
from intarsia.emu.compile.stages.linear_head import LinearHead
from intarsia.emu.compile.stages.mask_head import MaskHead
from intarsia.emu.compile.stages.stage import Tail
from intarsia.emu.compile.walk import Walk
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

TAILS: tuple[type[Tail], ...] = (MaskHead, LinearHead, Classifier, Features)
"""In which an output may end."""


def find_tail(walk: Walk, output: Node) -> Tail:
    """The tail that ends in a node, by the longest of the `ENDS` that begin as it does."""
    ends = [(walk.follows(output, [(op,) for op in end]), end, tail) for tail in TAILS for end in tail.ENDS]
    count, _, tail = max(ends, key=lambda one: one[0])
    if not count:
        names = ", ".join(dict.fromkeys(end[0] for _, end, _ in ends))
        raise InputError(f"{output.name}: must be made by {names} to be compiled, not by {output.op}")
    return tail.find(walk, output)
