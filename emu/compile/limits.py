"""What a machine has room for whatever the plan, by node: the widths of its fields and memories."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emu.compile.layout import padded
from emu.compile.pattern import Network
from emu.machine import SLOT_CHANNELS, Machine
from model.errors import InputError
from model.integer.graph import IMAGE, Graph, Node

FIELD = 65535
"""Largest number in the 16 bits of an instruction: rows, columns, a stride of LOAD in bytes."""


def check_limits(graph: Graph, network: Network, machine: Machine) -> None:
    """Raises InputError with the first node that no plan would fit into the machine."""
    for node in _of_blocks(network, "norm1", "norm2"):
        _check_layernorm(network, node)
    for node in (network.encoder_norm, network.decoder_norm, network.mask_norm):
        _check_layernorm(network, node)
    for node in _of_blocks(network, "shiftmax", "gelu"):
        length = graph.output(node).shape[-1]
        if length > machine.row_length:
            raise InputError(
                f"{node.name}: rows of {length} do not fit: units.row_length (Shiftmax, GELU) is "
                f"{machine.row_length}"
            )
    for node in graph.nodes:
        if max(graph.output(node).shape) > FIELD:
            shape = list(graph.output(node).shape)
            raise InputError(f"{node.name}: a size of {shape} does not fit: instructions hold {FIELD}")
    _check_pixels(graph, network)
    if graph.output(network.labels).bits == 16 and network.labels.integer("patch") == 1:
        raise InputError(
            f"{network.labels.name}: labels of 16 bits can be repeated 2 times or more, not once"
        )


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


def _check_pixels(graph: Graph, network: Network) -> None:
    pixels, (height, width, _) = network.pixels, graph.tensors[IMAGE].shape
    patch = pixels.integer("patch")
    if padded(network.columns(pixels), 16) > FIELD:
        raise InputError(
            f"{pixels.name}: patches of {patch} pixels do not fit: LOAD's strides hold {FIELD} bytes"
        )
    if height % patch or width % patch:
        padding_bytes(graph, pixels)


def _check_layernorm(network: Network, node: Node) -> None:
    channels = network.columns(node)
    if channels > SLOT_CHANNELS:
        raise InputError(
            f"{node.name}: LayerNorm rows of {channels} do not fit: the machine's constants hold "
            f"{SLOT_CHANNELS}"
        )


def _of_blocks(network: Network, *parts: str) -> Iterator[Node]:
    for block in (*network.encoder, *network.decoder):
        yield from (block.nodes[part] for part in parts)
