"""A fake-quantized network: FP32 arithmetic whose values can be forced onto the integers.

The same module calibrates (real values, ranges observed), simulates the integer graph (every
tensor holds the integers of the executor) and, because the rounding passes gradients straight
through, can be trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intarsia.model.integer.graph import IMAGE, Graph, QuantizeOptions
from intarsia.model.integer.operators import Operator
from intarsia.model.networks import find
from intarsia.model.networks.modules import Model, folded
from intarsia.model.networks.walk import Leaf
from intarsia.model.quantize.convert import convert
from intarsia.model.quantize.observer import Ranges
from intarsia.model.quantize.parameters import Parameters
from intarsia.model.quantize.walk import Walk


@dataclass
class Value:
    """One tensor [batch, ...]: real values and, when quantized, the integers (as float64)."""

    name: str
    real: Tensor
    integers: Tensor | None = None


class FakeQuant(nn.Module):
    """A network as integers run it (`config.integer()`), and its ranges.

    model: a FP32 network of the registry, with its configuration as `config`. LayerScale is folded into a
    copy. What is returned of labels are the class scores [batch, N, K] that they are chosen by, of other
    outputs their real values [batch, T, D], by the names of the outputs.
    """

    def __init__(self, model: Model, options: QuantizeOptions | None = None) -> None:
        super().__init__()
        self.model = folded(model)
        self.config = self.model.config.integer()
        self.options = options or QuantizeOptions()
        self.ranges = Ranges()

    def observe(self, images: NDArray[np.uint8], momentum: float) -> dict[str, Tensor]:
        """Real outputs of uint8 [batch, H, W, 3]; takes in all ranges."""
        return self._outputs(_Walk(self, images, momentum=momentum))

    def forward(self, images: NDArray[np.uint8]) -> dict[str, Tensor]:
        """Outputs with every tensor rounded to the integers of the graph."""
        return self._outputs(_Walk(self, images, graph=self.graph()))

    @torch.no_grad()
    def integers(self, images: NDArray[np.uint8]) -> dict[str, Tensor]:
        """Every tensor that a node of the graph makes as integers in float64, by name."""
        walk = _Walk(self, images, graph=self.graph())
        self._outputs(walk)
        return walk.made

    def graph(self) -> Graph:
        """The integer graph for the present parameters and ranges."""
        return convert(Parameters(self.model), self.ranges, self.config, self.options)

    def _outputs(self, walk: _Walk) -> dict[str, Tensor]:
        leaves: tuple[Leaf[Value], ...] = find(self.config.network).walk(walk, self.config)
        return {leaf.name: (leaf.value if leaf.scores is None else leaf.scores).real for leaf in leaves}


class _Walk(Walk[Value]):
    """A walk on torch tensors, for one batch.

    With a momentum the ranges are observed; with a graph the values are those of its integers.
    """

    def __init__(
        self,
        owner: FakeQuant,
        images: NDArray[np.uint8],
        *,
        momentum: float | None = None,
        graph: Graph | None = None,
    ) -> None:
        self.owner, self.momentum = owner, momentum
        device = next(owner.model.parameters()).device
        pixels = torch.tensor(np.ascontiguousarray(images), device=device)
        self.image = Value(IMAGE, pixels, pixels)
        self.parameters = Parameters(owner.model)
        self.graph = graph
        self.nodes = {node.name: node for node in graph.nodes} if graph else {}
        self.made: dict[str, Tensor] = {}

    def _value(self, operator: Operator, name: str, real: Tensor, inputs: list[Tensor | None]) -> Value:
        """The tensor `name`: `real`, rounded to what its node makes of the integer inputs."""
        if self.momentum is not None and operator.observed:
            self.owner.ranges.update(name, real, self.momentum)
        if self.graph is None:
            return Value(name, real)
        node = self.nodes[name]
        constants = {
            role: torch.tensor(self.graph.constants[key], device=real.device)
            for role, key in node.constants.items()
        }
        with torch.no_grad():
            integers = operator.simulate(node, [i for i in inputs if i is not None], constants)
            self.made[name] = integers
            scale = self.graph.tensors[name].scale
            # Labels are not rounded numbers: they have no scale and stand for themselves.
            exact = (integers if scale is None else integers * scale).to(real.dtype)
        # Straight through: the value is the integers', the gradient that of the real operator.
        return Value(name, real + (exact - real).detach(), integers)

    def apply(
        self,
        operator: Operator,
        name: str,
        inputs: Sequence[Value],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> Value:
        real = operator.real(self.parameters, *(x.real for x in inputs), *arguments, **options)
        return self._value(operator, name, real, [x.integers for x in inputs])
