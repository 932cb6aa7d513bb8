"""Class scores to classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator
from intarsia.model.integer.rules import SIDE, Input
from intarsia.model.quantize.lower import Lowered

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters

MAX_CLASSES = 2**16
"""Labels have at most 16 bits."""


class Argmax(Operator):
    """Class of the largest score of every patch, lowest class on ties: int16 [h*w, K] to labels [h, w]."""

    inputs = (Input("height*width K", ("int16",)),)
    attributes = {"height": SIDE, "width": SIDE}
    output = "height width"
    observed = False

    def dtype(self, node: Node, inputs: Sequence[Tensor]) -> str:
        return label_dtype(inputs[0].shape[-1])

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        labels = np.argmax(inputs[0], axis=-1).astype(label_dtype(inputs[0].shape[-1]))
        return labels.reshape(node.integer("height"), node.integer("width"))

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        best = inputs[0].argmax(dim=-1).unflatten(1, (node.integer("height"), node.integer("width")))
        return best.double()

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        w, (x,) = writer, inputs
        # ArgMax takes the first of equals unless told otherwise; ONNX Runtime has none of int16.
        best = w.op("ArgMax", w.cast(x.name, np.int32), axis=1, keepdims=0)
        labels = w.cast(best, label_dtype(x.shape[-1]))
        return w.reshape(labels, node.integer("height"), node.integer("width"))

    def real(self, parameters: Parameters, x: torch.Tensor, *, height: int, width: int) -> torch.Tensor:
        return x.argmax(dim=-1).unflatten(1, (height, width)).to(x.dtype)

    def lower(self, build: Builder, name: str, x: Tensor, *, height: int, width: int) -> Lowered:
        return Lowered({}, {"height": height, "width": width}, None)


def label_dtype(classes: int) -> str:
    """Type that holds every class index."""
    if classes > MAX_CLASSES:
        raise InputError(f"the number of classes must be at most {MAX_CLASSES}, not {classes}")
    return "uint8" if classes <= 256 else "uint16"
