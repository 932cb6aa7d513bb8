"""Image to patches, bytes through one table per channel (numerics, "The graph")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared
from intarsia.model.integer.rules import PATCH, Constant, Input, Shape, Sizes
from intarsia.model.networks.config import NORMALIZATIONS
from intarsia.model.quantize.lower import Lowered, quantize, scale_of

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters


class Pixels(Operator):
    """Image uint8 [H, W, 3] to patches int8 [N, P*P*3], bytes through one table per channel.

    `table` int8 [3, 256]. Where the patch does not divide the image it is padded to the right
    and below with 0, which is the mean colour. A patch is (row, column, channel) in this order.
    """

    inputs = (Input("H W 3", ("uint8",)),)
    constants = {"table": Constant("3 256", "int8")}
    attributes = {"patch": PATCH}
    observed = False

    def shape(self, node: Node, sizes: Sizes) -> Shape:
        patch = sizes["patch"]
        return -(-sizes["H"] // patch) * -(-sizes["W"] // patch), patch * patch * 3

    def dtype(self, node: Node, inputs: Sequence[Tensor]) -> str:
        return "int8"

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        (image,), patch = inputs, node.integer("patch")
        values = np.stack([constants["table"][c][image[..., c]] for c in range(3)], axis=-1)
        height, width, _ = values.shape
        values = np.pad(values, ((0, -height % patch), (0, -width % patch), (0, 0)))
        rows, columns = values.shape[0] // patch, values.shape[1] // patch
        tiles = values.reshape(rows, patch, columns, patch, 3).transpose(0, 2, 1, 3, 4)
        return tiles.reshape(rows * columns, patch * patch * 3)

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        table, patch = kernels.writable(constants["table"]), node.integer("patch")

        def run(inputs: Sequence[Array]) -> Array:
            height, width, _ = inputs[0].shape
            if height % patch or width % patch:
                return self.reference(node, inputs, constants)
            return kernels.patchify(inputs[0], table, patch)

        return run

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        import torch

        image, table, patch = inputs[0].long(), constants["table"], node.integer("patch")
        values = torch.stack([table[c][image[..., c]] for c in range(3)], dim=-1)
        return _patches(values, patch).to(torch.float64)

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        """The three tables lie in a row."""
        from intarsia.model.export import arithmetic

        w, (image,), patch = writer, inputs, node.integer("patch")
        height, width, _ = image.shape
        offsets = np.arange(3, dtype=np.int32) * 256
        index = w.op("Add", w.cast(image.name, np.int32), offsets)
        table = constants["table"].reshape(-1)
        x = arithmetic.lookup(w, table, index, image.shape)
        below, right = -height % patch, -width % patch
        if below or right:
            x = w.op("Pad", x, np.array([0, 0, 0, below, right, 0]), np.int8(0))
        rows, columns = (height + below) // patch, (width + right) // patch
        tiles = w.transpose(w.reshape(x, rows, patch, columns, patch, 3), 0, 2, 1, 3, 4)
        return w.reshape(tiles, rows * columns, patch * patch * 3)

    def real(
        self, parameters: Parameters, image: torch.Tensor, *, patch: int, normalization: str
    ) -> torch.Tensor:
        from intarsia.model.data.images import normalize

        values = normalize(image.cpu().numpy(), normalization).to(image.device)
        return _patches(values.permute(0, 2, 3, 1), patch)

    def lower(self, build: Builder, name: str, image: Tensor, *, patch: int, normalization: str) -> Lowered:
        table, scale = pixel_table(normalization)
        return Lowered({"table": table}, {"patch": patch}, scale)


def pixel_table(normalization: str) -> tuple[NDArray[np.int8], float]:
    """int8 [3, 256] from byte to quantized normalized pixel, and its scale.

    The range of a byte is known, so that no calibration is needed.
    """
    mean, deviation = (np.array(v)[:, None] for v in NORMALIZATIONS[normalization])
    real = (np.arange(256)[None, :] / 255 - mean) / deviation
    scale = scale_of(float(np.abs(real).max()), 8)
    return quantize(real, scale, 8), scale


def _patches(values: torch.Tensor, patch: int) -> torch.Tensor:
    """[B, H, W, 3] to [B, N, P*P*3], padded with 0."""
    import torch.nn.functional as F

    _, height, width, _ = values.shape
    values = F.pad(values, (0, 0, 0, -width % patch, 0, -height % patch))
    tiles = values.unfold(1, patch, patch).unfold(2, patch, patch)  # [B, h, w, 3, P, P]
    return tiles.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(1, 2)
