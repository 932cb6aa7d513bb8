"""What a machine has room for whatever the plan, by node: the widths of its fields and memories."""

from __future__ import annotations

import numpy as np

from emu.compile.layout import padded
from emu.compile.pattern import Network
from emu.machine import Machine
from model.errors import InputError
from model.integer.graph import IMAGE, Graph, Node

FIELD = 65535
"""Largest number in 16 bits of an instruction: rows, columns, strides of LOAD in bytes."""


def check_limits(graph: Graph, network: Network, machine: Machine) -> None:
    """Raises InputError with the first node that no plan would fit into the machine."""
    for node in network.nodes:
        shape = graph.output(node).shape
        if not 1 <= min(shape) <= max(shape) <= FIELD:
            raise InputError(f"{node.name}: a size of {list(shape)} does not fit: 1..{FIELD} is wanted")
        if node.op == "layernorm" and shape[1] > machine.layernorm_length:
            raise InputError(
                f"{node.name}: LayerNorm rows of {shape[1]} do not fit: units.layernorm_length is "
                f"{machine.layernorm_length}"
            )
        if node.op in ("shiftmax", "gelu") and shape[-1] > machine.row_length:
            raise InputError(
                f"{node.name}: rows of {shape[-1]} do not fit: units.row_length (Shiftmax, GELU) is "
                f"{machine.row_length}"
            )
        if node.op == "mix":
            heads = node.integer("heads")
            mixed = heads * padded(shape[1] // heads, 16)
            if mixed > FIELD:
                raise InputError(
                    f"{node.name}: {heads} heads do not fit: padded to 16 channels each they have {mixed}, "
                    f"instructions hold {FIELD}"
                )
    (height, width, _), patch = graph.tensors[IMAGE].shape, network.pixels.integer("patch")
    if height % patch or width % patch:
        padding_bytes(graph, network.pixels)
    _check_labels(graph, network.labels)


def padding_bytes(graph: Graph, pixels: Node) -> list[int]:
    """Per channel a byte that stands for 0 in the pixel table: what patches beyond the picture hold."""
    table = graph.constants[pixels.constants["table"]]
    zeros = [np.flatnonzero(row == 0) for row in table]
    for channel, found in enumerate(zeros):
        if not found.size:
            raise InputError(
                f"{pixels.name}: no byte stands for 0 in channel {channel} of "
                f"{pixels.constants['table']}: the machine cannot fill patches beyond the picture"
            )
    return [int(found[0]) for found in zeros]


def _check_labels(graph: Graph, labels: Node) -> None:
    patch, bits = labels.integer("patch"), graph.output(labels).bits
    if bits == 16 and patch == 1:
        raise InputError(f"{labels.name}: labels of 16 bits can be repeated 2 times or more, not once")
    if patch > FIELD:
        raise InputError(f"{labels.name}: a patch of {patch} does not fit: instructions hold {FIELD}")
