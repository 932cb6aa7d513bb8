"""The walk that emits the integer graph, from parameters as arrays and scales by tensor name."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.model.integer.graph import GRID, IMAGE, LABELS, Graph, Node, QuantizeOptions, Tensor
from intarsia.model.integer.operators import label_dtype
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.quantize import lower
from intarsia.model.quantize.lower import Lowered
from intarsia.model.quantize.network import segment


class Arrays(Protocol):
    """Float parameters by the key of their module, in the shapes that the operators want."""

    def weight(self, key: str) -> NDArray[Any]:
        """[N, K] of a linear operator."""

    def bias(self, key: str) -> NDArray[Any] | None:
        """[N], or None."""

    def rows(self, key: str) -> NDArray[Any]:
        """Constant tokens [rows, D]."""

    def norm(self, key: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """gamma and beta."""


class Scales(Protocol):
    """What 1 stands for, per tensor."""

    def scale(self, name: str, bits: int, at_least: float = 0.0) -> float:
        """S of a tensor whose range also holds `at_least`."""


class Builder:
    """`Operators` of network.segment on tensor names; every call adds one node."""

    def __init__(
        self,
        parameters: Arrays,
        ranges: Scales,
        config: SegmenterConfig,
        options: QuantizeOptions,
    ) -> None:
        self.parameters, self.ranges = parameters, ranges
        self.config, self.options = config, options
        self.tensors = {IMAGE: Tensor(IMAGE, (*config.image, 3), "uint8")}
        self.nodes: list[Node] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.lowered: dict[str, Lowered] = {}

    def build(self) -> Graph:
        masks = segment(self, self.config)
        rows, columns = self.config.grid
        height, width = self.config.image
        dtype = label_dtype(self.config.classes)
        grid = Lowered("argmax", {}, {"height": rows, "width": columns})
        self._emit(GRID, grid, [masks], (rows, columns), dtype, None)
        size: dict[str, int | str] = {"patch": self.config.patch, "height": height, "width": width}
        self._emit(LABELS, Lowered("nearest", {}, size), [GRID], (height, width), dtype, None)
        return Graph(self.config, self.options, self.tensors, tuple(self.nodes), self.constants)

    def _emit(
        self,
        name: str,
        lowered: Lowered,
        inputs: list[str],
        shape: tuple[int, ...],
        dtype: str,
        scale: float | None,
    ) -> str:
        constants = {role: f"{name}.{role}" for role in lowered.constants}
        for role, key in constants.items():
            self.constants[key] = lowered.constants[role]
        self.lowered[name] = lowered
        self.nodes.append(Node(name, lowered.op, tuple(inputs), constants, lowered.attributes))
        self.tensors[name] = Tensor(name, shape, dtype, scale)
        return name

    def _scale(self, name: str) -> float:
        scale = self.tensors[name].scale
        assert scale is not None, f"{name} has no scale"
        return scale

    def pixels(self, name: str) -> str:
        config = self.config
        table, scale = lower.pixel_table(config.normalization)
        lowered = Lowered("pixels", {"table": table}, {"patch": config.patch})
        return self._emit(name, lowered, [IMAGE], (config.patches, config.patch**2 * 3), "int8", scale)

    def linear(self, name: str, x: str, key: str, *, bits: int, beside: str | None = None) -> str:
        at_least = float(np.abs(self.parameters.rows(beside)).max()) if beside else 0.0
        s_out = self.ranges.scale(name, bits, at_least)
        bias = self.parameters.bias(key)
        lowered = lower.lower_linear(
            name,
            self.parameters.weight(key),
            bias,
            self._scale(x),
            s_out,
            bits,
            self.options,
        )
        shape = (self.tensors[x].shape[0], lowered.constants["weight"].shape[0])
        return self._emit(name, lowered, [x], shape, f"int{bits}", s_out)

    def matmul(self, name: str, x: str, y: str, *, bits: int) -> str:
        (n, depth), (k, _) = self.tensors[x].shape, self.tensors[y].shape
        s_out = self.ranges.scale(name, bits)
        lowered = lower.lower_matmul(name, depth, self._scale(x), self._scale(y), s_out, bits, self.options)
        return self._emit(name, lowered, [x, y], (n, k), f"int{bits}", s_out)

    def prepend(self, name: str, x: str, key: str) -> str:
        return self._join("prepend", name, x, key)

    def append(self, name: str, x: str, key: str) -> str:
        return self._join("append", name, x, key)

    def _join(self, op: str, name: str, x: str, key: str) -> str:
        scale = self._scale(x)
        rows = self._rows(key, scale)
        t, d = self.tensors[x].shape
        return self._emit(name, Lowered(op, {"rows": rows}), [x], (t + len(rows), d), "int16", scale)

    def _rows(self, key: str, scale: float) -> NDArray[Any]:
        """Constant rows as int16."""
        return lower.quantize(self.parameters.rows(key), scale, 16)

    def _scale_of_rows(self, key: str) -> float:
        """The scale of constant rows that have one of their own."""
        return lower.scale_of(float(np.abs(self.parameters.rows(key)).max()), 16)

    def rows(self, name: str, x: str, start: int, stop: int) -> str:
        source = self.tensors[x]
        lowered = Lowered("rows", {}, {"start": start, "stop": stop})
        shape = (stop - start, source.shape[1])
        return self._emit(name, lowered, [x], shape, source.dtype, source.scale)

    def add(self, name: str, x: str, identity: str) -> str:
        s_out = self.ranges.scale(name, 16)
        lowered = lower.lower_residual(name, self._scale(x), self._scale(identity), s_out, self.options)
        return self._emit(name, lowered, [x, identity], self.tensors[x].shape, "int16", s_out)

    def add_constant(self, name: str, x: str, key: str) -> str:
        s_out = self.ranges.scale(name, 16)
        s_rows = self._scale_of_rows(key)
        summed = lower.lower_residual(name, self._scale(x), s_rows, s_out, self.options)
        lowered = Lowered(summed.op, {"identity": self._rows(key, s_rows)}, summed.attributes)
        return self._emit(name, lowered, [x], self.tensors[x].shape, "int16", s_out)

    def layernorm(self, name: str, x: str, key: str, *, bits: int) -> str:
        s_out = self.ranges.scale(name, bits)
        gamma, beta = self.parameters.norm(key)
        lowered = lower.lower_layernorm(name, gamma, beta, s_out, bits, self.options)
        return self._emit(name, lowered, [x], self.tensors[x].shape, f"int{bits}", s_out)

    def scores(self, name: str, qkv: str, heads: int) -> str:
        tokens, s_out = self.tensors[qkv].shape[0], self.ranges.scale(name, 8)
        depth = self.config.embed // heads
        lowered = lower.lower_scores(name, heads, depth, self._scale(qkv), s_out, self.options)
        return self._emit(name, lowered, [qkv], (heads, tokens, tokens), "int8", s_out)

    def shiftmax(self, name: str, scores: str) -> str:
        lowered = lower.lower_shiftmax(name, self._scale(scores), self.options)
        dtype, scale = f"int{self.options.softmax_bits}", lower.probability_scale(self.options)
        return self._emit(name, lowered, [scores], self.tensors[scores].shape, dtype, scale)

    def mix(self, name: str, probabilities: str, qkv: str) -> str:
        heads, tokens, _ = self.tensors[probabilities].shape
        s_out = self.ranges.scale(name, 8)
        lowered = lower.lower_mix(
            name, heads, tokens, self.lowered[probabilities], self._scale(qkv), s_out, self.options
        )
        shape = (tokens, self.config.embed)
        return self._emit(name, lowered, [probabilities, qkv], shape, "int8", s_out)

    def gelu(self, name: str, x: str) -> str:
        s_out = self.ranges.scale(name, 8)
        lowered = lower.lower_gelu(name, self._scale(x), s_out, self.options)
        return self._emit(name, lowered, [x], self.tensors[x].shape, "int8", s_out)
