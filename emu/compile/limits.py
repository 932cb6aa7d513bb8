"""What a machine has room for whatever the plan, by node: the widths of its fields and memories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from intarsia.emu.compile.advice import Need
from intarsia.emu.compile.instructions import length_key
from intarsia.emu.compile.layout import Packed, padded
from intarsia.emu.compile.pattern import Network
from intarsia.emu.compile.stages.classifier import Classifier
from intarsia.emu.compile.stages.labels import LabelTail
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import IMAGE, Graph, Node

FIELD = 65535
"""Largest number in 16 bits of an instruction: rows, columns, strides of LOAD in bytes."""


def check_limits(graph: Graph, network: Network) -> None:
    """Raises InputError with the first node that fits into no machine."""
    # Scores of the picture are made, added and stored some at a time.
    scores = {name for tail in network.tails if isinstance(tail, Classifier) for name in tail.scores}
    for node in network.nodes:
        shape = graph.output(node).shape
        if node.name not in scores and not 1 <= min(shape) <= max(shape) <= FIELD:
            raise InputError(
                f"{node.name}: sizes must be 1..{FIELD}, not {list(shape)}: take a smaller picture, larger "
                "patches or fewer channels"
            )
        if node.op == "mix":
            heads = node.integer("heads")
            mixed = heads * padded(shape[1] // heads, 16)
            if mixed > FIELD:
                raise InputError(
                    f"{node.name}: heads, padded to 16 channels each, must have at most {FIELD} together, "
                    f"not {mixed} ({heads} heads)"
                )
    pixels = network.embedding.pixels
    (height, width, _), patch = graph.tensors[IMAGE].shape, pixels.integer("patch")
    if height % patch or width % patch:
        padding_bytes(graph, pixels)
    for tail in network.tails:
        if isinstance(tail, LabelTail):
            _check_labels(graph, tail.output)


def row_needs(graph: Graph, network: Network) -> Iterator[Need]:
    """How long rows are that units must hold whole."""
    for node in network.nodes:
        if key := length_key(node.op):
            length = graph.output(node).shape[-1]
            yield Need(key, length, f"{node.name}: {key} must be at least {length} for its rows")


def weight_needs(weights: Mapping[str, tuple[Packed, int]], lanes: int) -> Iterator[Need]:
    """How much the stationary buffer must hold; weights: by name, with the bytes of an output."""
    for name, (packed, item) in weights.items():
        size = packed.least(lanes, item) * packed.tile_bytes
        problem = f"{name}: stationary.kib must be at least {-(-size // 1024)} for its weights of "
        problem += f"{packed.inputs} inputs, {size} bytes of which are used at once"
        yield Need("stationary.kib", -(-size // 1024), problem)


def padding_bytes(graph: Graph, pixels: Node) -> list[int]:
    """Per channel a byte that stands for 0 in the pixel table: what patches beyond the picture hold."""
    table = graph.constants[pixels.constants["table"]]
    zeros = [np.flatnonzero(row == 0) for row in table]
    for channel, found in enumerate(zeros):
        if not found.size:
            raise InputError(
                f"{pixels.name}: channel {channel} of {pixels.constants['table']} must have a byte that "
                "stands for 0, to fill patches beyond the picture, not none"
            )
    return [int(found[0]) for found in zeros]


def _check_labels(graph: Graph, labels: Node) -> None:
    patch, bits = labels.integer("patch"), graph.output(labels).bits
    if bits == 16 and patch == 1:
        raise InputError(
            f"{labels.name}: patch must be at least 2 with labels of 16 bits (more than 256 classes), not 1"
        )
    if patch > FIELD:
        raise InputError(f"{labels.name}: patch must be at most {FIELD}, not {patch}")
