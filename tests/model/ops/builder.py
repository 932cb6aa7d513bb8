"""A builder for single operators: tensors of given shape, type and scale, all outputs of one scale."""

from __future__ import annotations

from typing import Any

from intarsia.model.integer.graph import QuantizeOptions, Tensor
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.quantize.build import Builder


class Bench(Builder):
    """Tensors by name as (shape, type, scale); `scale` is that of every output."""

    def __init__(
        self, scale: float = 1.0, options: QuantizeOptions | None = None, **tensors: tuple[Any, str, float]
    ) -> None:
        options = options or QuantizeOptions()
        super().__init__(None, self, SegmenterConfig.named("tiny"), options)  # type: ignore[arg-type]
        self._of_all = scale
        for name, (shape, dtype, at) in tensors.items():
            self.tensors[name] = Tensor(name, shape, dtype, at)

    def scale(self, name: str, bits: int, at_least: float = 0.0) -> float:
        return self._of_all

    def constants_of(self, name: str) -> dict[str, Any]:
        """The constants of a node by role."""
        return {role: self.constants[key] for role, key in self.nodes[name].constants.items()}
