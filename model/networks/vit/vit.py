"""ViT with a linear classifier (Dosovitskiy et al., 2021), also DeiT's distilled one (Touvron et al.,
2021).

Parameter names are those of timm's `VisionTransformer` and `VisionTransformerDistilled`.
"""

from __future__ import annotations

from torch import Tensor, nn

from intarsia.model.networks.modules import Encoder, Model, initialise
from intarsia.model.networks.vit.config import ViTConfig
from intarsia.model.networks.vit.walk import CLASSES


class ViT(Encoder, Model):
    """Image [batch, 3, H, W], normalised, to class scores [batch, classes]."""

    config: ViTConfig

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        if config.pool_norm:
            self.norm = nn.Identity()
            self.fc_norm = nn.LayerNorm(config.embed, eps=config.norm_eps)
        self.head = nn.Linear(config.embed, config.classes)
        if config.distilled:
            self.head_dist = nn.Linear(config.embed, config.classes)
        self.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        x = super().forward(image)
        if self.config.distilled:
            return (self._scores(x[:, 0], self.head) + self._scores(x[:, 1], self.head_dist)) / 2
        pooled = x[:, self.config.prefix :].mean(dim=1) if self.config.pool == "mean" else x[:, 0]
        return self._scores(pooled, self.head)

    def outputs(self, image: Tensor) -> dict[str, Tensor]:
        return {CLASSES: self(image)[:, None]}

    def _scores(self, pooled: Tensor, head: nn.Linear) -> Tensor:
        return head(self.fc_norm(pooled) if self.config.pool_norm else pooled)
