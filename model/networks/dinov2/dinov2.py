"""DINOv2's encoder (Oquab et al., 2023), also with registers (Darcet et al., 2024).

Parameter names are those of timm's `VisionTransformer`; the position embedding is the original one, with a
row for the class token and none for registers.
"""

from __future__ import annotations

from torch import Tensor

from intarsia.model.networks.dinov2.config import Dinov2Config
from intarsia.model.networks.dinov2.walk import CLASS_TOKEN, PATCHES
from intarsia.model.networks.modules import Encoder, Model, initialise


class Dinov2(Encoder, Model):
    """Image [batch, 3, H, W], normalised, to its tokens [batch, prefix + N, D]."""

    config: Dinov2Config

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__(config)
        self.apply(initialise)

    def outputs(self, image: Tensor) -> dict[str, Tensor]:
        x = self(image)
        return {CLASS_TOKEN: x[:, :1], PATCHES: x[:, self.config.prefix :]}
