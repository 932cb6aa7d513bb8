"""The walk that emits the integer graph, from parameters as arrays and scales by tensor name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from intarsia.model.integer import bounds
from intarsia.model.integer.graph import IMAGE, Graph, Node, Output, QuantizeOptions, Tensor
from intarsia.model.integer.operators import Array, Operator
from intarsia.model.networks import find
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.quantize.lower import Lowered
from intarsia.model.quantize.walk import Walk


class Arrays(Protocol):
    """Float parameters by the key of their module, in the shapes that the operators want."""

    def weight(self, key: str) -> Array:
        """[N, K] of a linear operator."""

    def bias(self, key: str) -> Array | None:
        """[N], or None."""

    def rows(self, key: str) -> Array:
        """Constant tokens [rows, D]."""

    def norm(self, key: str) -> tuple[Array, Array]:
        """gamma and beta."""


class Scales(Protocol):
    """What 1 stands for, per tensor."""

    def scale(self, name: str, bits: int, at_least: float = 0.0) -> float:
        """S of a tensor whose range also holds `at_least`."""


class Builder(Walk[str]):
    """A walk on names of tensors; every operator adds one node."""

    image = IMAGE

    def __init__(
        self,
        parameters: Arrays,
        ranges: Scales,
        config: EncoderConfig,
        options: QuantizeOptions,
    ) -> None:
        self.parameters, self.ranges = parameters, ranges
        self.config, self.options = config, options
        self.tensors = {IMAGE: Tensor(IMAGE, (*config.image, 3), "uint8")}
        self.nodes: dict[str, Node] = {}
        self.constants: dict[str, Array] = {}

    def build(self, network: str) -> Graph:
        """The graph of the network of this name."""
        leaves = find(network).walk(self, self.config)
        outputs = tuple(Output(leaf.name, leaf.value, leaf.kind) for leaf in leaves)
        nodes = tuple(self.nodes.values())
        return Graph(network, self.config, self.options, self.tensors, nodes, self.constants, outputs)

    def apply(
        self,
        operator: Operator,
        name: str,
        inputs: Sequence[str],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> str:
        tensors = [self.tensors[x] for x in inputs]
        lowered = self.lower(operator, name, tensors, arguments, options)
        keys = {role: f"{name}.{role}" for role in lowered.constants}
        node = Node(name, operator.name, tuple(inputs), keys, lowered.attributes)
        reach = operator.reach(node, tensors, lowered.constants, self.nodes)
        bounds.check_accumulator(name, reach)
        shapes = {role: array.shape for role, array in lowered.constants.items()}
        self.tensors[name] = replace(operator.made(node, tensors, shapes), scale=lowered.scale)
        self.constants.update({keys[role]: array for role, array in lowered.constants.items()})
        self.nodes[name] = node
        return name

    def lower(
        self,
        operator: Operator,
        name: str,
        inputs: Sequence[Tensor],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> Lowered:
        return operator.lower(self, name, *inputs, *arguments, **options)
