"""The integer network as data: tensors, nodes in execution order, integer constants.

A graph says what is computed, not how or when: the executor, the ONNX export and the compiler
read the same one. Scales are metadata for people; no node uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.networks import find
from intarsia.model.networks.config import EncoderConfig

IMAGE = "image"
"""Name of the tensor that every graph has: the picture."""

MASKS, GRID, LABELS = "decoder.mask_norm", "grid", "labels"
"""Names in a Segmenter's graph: class scores [N, K], their argmax, labels."""

KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "labels": (2, ("uint8", "uint16")),
    "classes": (2, ("int16",)),
    "features": (2, ("int8", "int16")),
}
"""Kinds of outputs with the axes and types of their tensors: a class per pixel [H, W], class scores of the
picture [1, K], feature vectors [T, D]."""


@dataclass(frozen=True)
class Tensor:
    """One value of the network: shape, integer type and, for people, what 1 stands for."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None

    @property
    def bits(self) -> int:
        """Width of one element."""
        return np.dtype(self.dtype).itemsize * 8

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Node:
    """One operator: input tensor names, its output tensor (of the same name), its constants.

    constants: role -> name of an array of the graph;  attributes: role -> integer or word.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    constants: Mapping[str, str]
    attributes: Mapping[str, int | str]

    def integer(self, key: str) -> int:
        """An attribute that is a number."""
        return int(self.attributes[key])


@dataclass(frozen=True)
class Output:
    """What leaves the network: a name, the tensor that it is, and its kind, one of KINDS."""

    name: str
    tensor: str
    kind: str


@dataclass(frozen=True)
class QuantizeOptions:
    """What the quantizer was asked for, recorded in the artifact (numerics sections 2, 6, 7).

    gelu: form of ShiftGELU;  softmax_bits: width of the probabilities;  multiplier_bits: M of
    the dyadic multipliers;  reciprocal_bits: R of Shiftmax's reciprocal.
    """

    gelu: str = "lambda-shift-elem"
    softmax_bits: int = 16
    multiplier_bits: int = 16
    reciprocal_bits: int = 31

    def __post_init__(self) -> None:
        if self.gelu not in GELU_FORMS:
            raise InputError(f"gelu must be one of {', '.join(GELU_FORMS)}, not {self.gelu!r}")
        if self.softmax_bits not in (8, 16):
            raise InputError(f"softmax bits must be 8 or 16, not {self.softmax_bits}")
        # Fewer than 8 bits cannot tell 127 levels apart; above 32 the product leaves 64 bits.
        if not 8 <= self.multiplier_bits <= 32:
            raise InputError(f"multiplier bits must be in 8..32, not {self.multiplier_bits}")
        if not 15 <= self.reciprocal_bits <= 46:
            raise InputError(f"reciprocal bits must be in 15..46, not {self.reciprocal_bits}")


@dataclass(frozen=True)
class Graph:
    """A whole network from `image` (uint8 [H, W, 3]) to its outputs.

    network: its name in the registry `intarsia.model.networks`, which knows the type of `config`.
    """

    network: str
    config: EncoderConfig
    options: QuantizeOptions
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    outputs: tuple[Output, ...]

    def node(self, name: str) -> Node:
        """The node that makes tensor `name`."""
        return next(node for node in self.nodes if node.name == name)

    def output(self, node: Node) -> Tensor:
        """The tensor that `node` makes."""
        return self.tensors[node.name]

    def of_kind(self, kind: str) -> tuple[Output, ...]:
        """The outputs of a kind."""
        return tuple(output for output in self.outputs if output.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays, as plain JSON values."""
        return {
            "network": self.network,
            "config": self.config.to_dict(),
            "options": asdict(self.options),
            "tensors": [{**asdict(t), "shape": list(t.shape)} for t in self.tensors.values()],
            "nodes": [
                {
                    "name": node.name,
                    "op": node.op,
                    "inputs": list(node.inputs),
                    "constants": dict(node.constants),
                    "attributes": dict(node.attributes),
                }
                for node in self.nodes
            ],
            "outputs": [asdict(output) for output in self.outputs],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], constants: Mapping[str, NDArray[Any]]) -> Graph:
        """Inverse of `to_dict`, given the arrays, for values that `schema.check_header` has accepted."""
        tensors = [Tensor(**{**t, "shape": tuple(t["shape"])}) for t in values["tensors"]]
        by_name = {t.name: t for t in tensors}
        if len(by_name) != len(tensors):
            twice = next(t.name for t in tensors if by_name[t.name] is not t)
            raise InputError(f"the tensor {twice} must be listed once, not twice")
        nodes = tuple(
            Node(n["name"], n["op"], tuple(n["inputs"]), n["constants"], n["attributes"])
            for n in values["nodes"]
        )
        config = find(values["network"]).config.from_dict(values["config"])
        options = QuantizeOptions(**values["options"])
        outputs = tuple(Output(**output) for output in values["outputs"])
        return cls(values["network"], config, options, by_name, nodes, constants, outputs)
