"""Labels of patches to labels of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared
from intarsia.model.integer.rules import PATCH, SIDE, Input, Shape, Sizes, fit
from intarsia.model.quantize.lower import Lowered

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Nearest(Operator):
    """Labels [h, w] to [height, width], every patch filled with its label; the padding is cut off."""

    inputs = (Input("h w", ("uint8", "uint16")),)
    attributes = {"patch": PATCH, "height": SIDE, "width": SIDE}
    output = "height width"
    observed = False

    def shape(self, node: Node, sizes: Sizes) -> Shape:
        grid = {side: -(-sizes[side] // sizes["patch"]) for side in ("height", "width")}
        fit(f"{node.name}: {node.inputs[0]}", self.output, (sizes["h"], sizes["w"]), grid)
        return super().shape(node, sizes)

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        patch, height, width = (node.integer(key) for key in ("patch", "height", "width"))
        return np.kron(inputs[0], np.ones((patch, patch), inputs[0].dtype))[:height, :width]

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        patch, height, width = (node.integer(key) for key in ("patch", "height", "width"))

        def run(inputs: Sequence[Array]) -> Array:
            rows, columns = inputs[0].shape
            return kernels.enlarge(inputs[0], rows * patch, columns * patch)[:height, :width]

        return run

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        patch, height, width = (node.integer(key) for key in ("patch", "height", "width"))
        return _enlarged(inputs[0], patch, height, width)

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        patch = node.integer("patch")
        down, across = (np.arange(node.integer(key)) // patch for key in ("height", "width"))
        lines = writer.op("Gather", inputs[0].name, down, axis=0)
        return writer.op("Gather", lines, across, axis=1)

    def real(
        self, parameters: Parameters, x: torch.Tensor, *, patch: int, height: int, width: int
    ) -> torch.Tensor:
        return _enlarged(x, patch, height, width)

    def lower(
        self, build: Builder, name: str, x: Tensor, *, patch: int, height: int, width: int
    ) -> Lowered:
        return Lowered({}, {"patch": patch, "height": height, "width": width}, None)


def _enlarged(x: torch.Tensor, patch: int, height: int, width: int) -> torch.Tensor:
    whole = x.repeat_interleave(patch, dim=1).repeat_interleave(patch, dim=2)
    return whole[:, :height, :width]
