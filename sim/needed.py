"""Which rows of every tensor the outputs of a graph depend on: a program must show all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.model.integer.graph import IMAGE, Graph

NOT_SHOWN = ("argmax", "nearest")
"""Operators whose tensors the scratchpad never holds as the graph has them; they are compared in DRAM."""


def needed_rows(graph: Graph) -> dict[str, NDArray[np.bool_]]:
    """By tensor, of those that the scratchpad holds: whether each index of its first axis is needed."""
    found = {name: np.zeros(tensor.shape[0], np.bool_) for name, tensor in graph.tensors.items()}
    for output in graph.outputs:
        found[output.tensor][:] = True
    for node in reversed(graph.nodes):
        if not found[node.name].any():
            continue
        for name in node.inputs:
            if node.op == "rows":
                start, stop = node.integer("start"), node.integer("stop")
                found[name][start:stop] |= found[node.name]
            elif node.op == "mean":
                found[name][node.integer("start") : node.integer("stop")] = True
            else:
                found[name][:] = True
    hidden = {IMAGE, *(node.name for node in graph.nodes if node.op in NOT_SHOWN)}
    return {name: rows for name, rows in found.items() if name not in hidden and rows.any()}
