"""The fake-quantized Segmenter: FP32 arithmetic whose values can be forced onto the integers.

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
from intarsia.model.networks.segmenter import Segmenter
from intarsia.model.quantize.convert import convert
from intarsia.model.quantize.network import segment
from intarsia.model.quantize.observer import Ranges
from intarsia.model.quantize.parameters import Parameters
from intarsia.model.quantize.walk import Walk


@dataclass
class Value:
    """One tensor [batch, ...]: real values and, when quantized, the integers (as float64)."""

    name: str
    real: Tensor
    integers: Tensor | None = None


class FakeQuantSegmenter(nn.Module):
    """A Segmenter without L2 normalization and with nearest upsampling, and its ranges."""

    def __init__(self, segmenter: Segmenter, options: QuantizeOptions | None = None) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.config = segmenter.config.paper()
        self.options = options or QuantizeOptions()
        self.ranges = Ranges()

    def observe(self, images: NDArray[np.uint8], momentum: float) -> Tensor:
        """Real-valued masks [batch, N, K] of uint8 [batch, H, W, 3]; takes in all ranges."""
        return segment(_Walk(self, images, momentum=momentum), self.config).real

    def forward(self, images: NDArray[np.uint8]) -> Tensor:
        """Masks [batch, N, K] with every tensor rounded to the integers of the graph."""
        return segment(_Walk(self, images, graph=self.graph()), self.config).real

    @torch.no_grad()
    def integers(self, images: NDArray[np.uint8]) -> dict[str, Tensor]:
        """Every tensor from `pixels` to the masks as integers in float64, by name."""
        walk = _Walk(self, images, graph=self.graph())
        segment(walk, self.config)
        return walk.made

    def graph(self) -> Graph:
        """The integer graph for the present parameters and ranges."""
        return convert(Parameters(self.segmenter), self.ranges, self.config, self.options)


class _Walk(Walk[Value]):
    """A walk on torch tensors, for one batch.

    With a momentum the ranges are observed; with a graph the values are those of its integers.
    """

    def __init__(
        self,
        owner: FakeQuantSegmenter,
        images: NDArray[np.uint8],
        *,
        momentum: float | None = None,
        graph: Graph | None = None,
    ) -> None:
        self.owner, self.momentum = owner, momentum
        device = owner.segmenter.encoder.pos_embed.device
        pixels = torch.tensor(np.ascontiguousarray(images), device=device)
        self.image = Value(IMAGE, pixels, pixels)
        self.parameters = Parameters(owner.segmenter)
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
            assert scale is not None, f"{name} has no scale"
            exact = (integers * scale).to(real.dtype)
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
