"""Where what belongs to the stages lies in DRAM, and which parameter words are theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from intarsia.emu.compile.block import PARAMETERS
from intarsia.emu.compile.instructions import has_word
from intarsia.emu.compile.layout import Layout, Packed
from intarsia.model.integer.graph import Node, Output


@dataclass(frozen=True)
class Places:
    """DRAM addresses by the names of nodes; `words`: numbers of parameter words; `outputs`: by tensor."""

    image: int
    arrays: Mapping[str, int]
    parameters: int
    words: Mapping[str, int]
    norms: Mapping[str, int]
    weights: Mapping[str, Packed]
    outputs: Mapping[str, int]

    @classmethod
    def of(cls, layout: Layout, nodes: Iterable[Node], outputs: Iterable[Output]) -> Places:
        """Append to the layout what these nodes need, in their order."""
        nodes = list({node.name: node for node in nodes}.values())
        pixels = next(node for node in nodes if node.op == "pixels")
        image = layout.image(pixels.integer("patch"))
        arrays = {}
        for node in nodes:
            if len(node.constants) == 1:
                # Moved as it is. Several are packed: weights, and constants of channels.
                (array,) = node.constants.values()
                arrays[node.name] = layout.array(array)
            if node.op == "mean":
                count = node.integer("stop") - node.integer("start")
                arrays[node.name] = layout.ones(f"{node.name}.ones", count)
        own = {node.name: node for node in nodes if has_word(node)}
        return cls(
            image,
            arrays,
            layout.parameters("parameters", own) if own else 0,
            {name: len(PARAMETERS) + i for i, name in enumerate(own)},
            {node.name: layout.layernorm(node) for node in nodes if node.op == "layernorm"},
            {node.name: layout.packed(node) for node in nodes if node.op == "linear"},
            {output.tensor: layout.output(output) for output in outputs},
        )
