"""The fake-quantized Segmenter: FP32 arithmetic whose values can be forced onto the integers.

The same module calibrates (real values, ranges observed), simulates the integer graph (every
tensor holds the integers of the executor) and, because the rounding passes gradients straight
through, can be trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from intarsia.model.data.images import normalize
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter
from intarsia.model.networks.segmenter.blocks import LAYER_NORM_EPS
from intarsia.model.quantize.convert import convert
from intarsia.model.quantize.network import segment
from intarsia.model.quantize.observer import Ranges
from intarsia.model.quantize.parameters import Parameters
from intarsia.model.quantize.simulate import SIMULATE


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


class _Walk:
    """`Operators` of network.segment on torch tensors, for one batch.

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
        self.owner, self.images, self.momentum = owner, images, momentum
        self.parameters = Parameters(owner.segmenter)
        self.graph = graph
        self.nodes = {node.name: node for node in graph.nodes} if graph else {}
        self.made: dict[str, Tensor] = {}

    def _value(self, name: str, real: Tensor, inputs: list[Tensor | None], seen: bool) -> Value:
        """The tensor `name`: `real`, rounded to what its node makes of the integer inputs."""
        if self.momentum is not None and seen:
            self.owner.ranges.update(name, real, self.momentum)
        if self.graph is None:
            return Value(name, real)
        node = self.nodes[name]
        constants = {
            role: torch.tensor(self.graph.constants[key], device=real.device)
            for role, key in node.constants.items()
        }
        with torch.no_grad():
            integers = SIMULATE[node.op](node, [i for i in inputs if i is not None], constants)
            self.made[name] = integers
            scale = self.graph.tensors[name].scale
            assert scale is not None, f"{name} has no scale"
            exact = (integers * scale).to(real.dtype)
        # Straight through: the value is the integers', the gradient that of the real operator.
        return Value(name, real + (exact - real).detach(), integers)

    def _op(self, name: str, real: Tensor, *inputs: Value, seen: bool = True) -> Value:
        return self._value(name, real, [x.integers for x in inputs], seen)

    def pixels(self, name: str) -> Value:
        config = self.owner.config
        device = self.owner.segmenter.encoder.pos_embed.device
        rows, columns = (g * config.patch for g in config.grid)
        height, width = config.image
        image = normalize(self.images, config.normalization).to(device)
        image = F.pad(image, (0, columns - width, 0, rows - height))
        patches = F.unfold(image, config.patch, stride=config.patch).transpose(1, 2)
        # unfold runs over (channel, row, column); the graph over (row, column, channel)
        real = patches.unflatten(2, (3, -1)).transpose(2, 3).flatten(2)
        pixels = torch.tensor(np.ascontiguousarray(self.images), device=device)
        return self._value(name, real, [pixels], seen=False)

    def linear(self, name: str, x: Value, key: str, *, bits: int, beside: str | None = None) -> Value:
        return self._op(name, F.linear(x.real, self.parameters.weight(key), self.parameters.bias(key)), x)

    def matmul(self, name: str, x: Value, y: Value, *, bits: int) -> Value:
        return self._op(name, x.real @ y.real.transpose(1, 2), x, y)

    def prepend(self, name: str, x: Value, key: str) -> Value:
        return self._op(name, torch.cat([self._rows(x, key), x.real], dim=1), x, seen=False)

    def append(self, name: str, x: Value, key: str) -> Value:
        return self._op(name, torch.cat([x.real, self._rows(x, key)], dim=1), x, seen=False)

    def _rows(self, x: Value, key: str) -> Tensor:
        return self.parameters.rows(key).expand(len(x.real), -1, -1)

    def rows(self, name: str, x: Value, start: int, stop: int) -> Value:
        return self._op(name, x.real[:, start:stop], x, seen=False)

    def add(self, name: str, x: Value, identity: Value) -> Value:
        return self._op(name, x.real + identity.real, x, identity)

    def add_constant(self, name: str, x: Value, key: str) -> Value:
        return self._op(name, x.real + self.parameters.rows(key), x)

    def layernorm(self, name: str, x: Value, key: str, *, bits: int) -> Value:
        gamma, beta = self.parameters.norm(key)
        return self._op(name, F.layer_norm(x.real, gamma.shape, gamma, beta, LAYER_NORM_EPS), x)

    def scores(self, name: str, qkv: Value, heads: int) -> Value:
        q, k, _ = _heads(qkv.real, heads)
        return self._op(name, q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, qkv)

    def shiftmax(self, name: str, scores: Value) -> Value:
        return self._op(name, scores.real.softmax(dim=-1), scores, seen=False)

    def mix(self, name: str, probabilities: Value, qkv: Value) -> Value:
        _, _, v = _heads(qkv.real, probabilities.real.shape[1])
        return self._op(name, (probabilities.real @ v).transpose(1, 2).flatten(2), probabilities, qkv)

    def gelu(self, name: str, x: Value) -> Value:
        return self._op(name, F.gelu(x.real), x)


def _heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """[batch, T, 3D] to q, k, v, each [batch, H, T, d]."""
    q, k, v = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    return q, k, v
