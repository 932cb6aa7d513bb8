"""Segmenter: ViT encoder, mask-transformer or linear decoder (Strudel et al., 2021).

Parameter names are those of the published repository, so that its checkpoints load unchanged.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intarsia.model.integer.graph import LABELS
from intarsia.model.networks.modules import Block, Encoder, Model, initialise
from intarsia.model.networks.segmenter.config import SegmenterConfig


class MaskTransformer(nn.Module):
    """Decoder: patch tokens [batch, N, embed] to class masks [batch, N, classes]."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        embed, plain = config.embed, replace(config, qkv_bias=True, layer_scale=False)
        self.l2norm = config.l2norm
        self.classes = config.classes
        self.proj_dec = nn.Linear(embed, embed)
        self.cls_emb = nn.Parameter(torch.randn(1, config.classes, embed) * 0.02)
        self.blocks = nn.ModuleList(
            Block(plain, config.decoder_head_count) for _ in range(config.decoder_layers)
        )
        self.decoder_norm = nn.LayerNorm(embed, eps=config.norm_eps)
        self.proj_patch = nn.Parameter(torch.randn(embed, embed) * embed**-0.5)
        self.proj_classes = nn.Parameter(torch.randn(embed, embed) * embed**-0.5)
        self.mask_norm = nn.LayerNorm(config.classes, eps=config.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.proj_dec(x), self.cls_emb.expand(len(x), -1, -1)], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.decoder_norm(x)
        patches = x[:, : -self.classes] @ self.proj_patch
        classes = x[:, -self.classes :] @ self.proj_classes
        if self.l2norm:
            patches, classes = F.normalize(patches, dim=-1), F.normalize(classes, dim=-1)
        return self.mask_norm(patches @ classes.transpose(1, 2))


class LinearDecoder(nn.Module):
    """Decoder: patch tokens [batch, N, embed] to class scores [batch, N, classes]."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.head = nn.Linear(config.embed, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


class Segmenter(Model):
    """Image [batch, 3, H, W], normalised, to class scores [batch, classes, H, W].

    H and W are those of `config.image`; where the patch does not divide them the image is
    padded with zeros to the right and below, and the scores are cut back, as published.
    """

    config: SegmenterConfig

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = (MaskTransformer if config.decoder == "mask" else LinearDecoder)(config)
        self.apply(initialise)

    def masks(self, image: Tensor) -> Tensor:
        """Class masks [batch, N, classes] at patch resolution."""
        return self.decoder(self.encoder(image)[:, self.config.prefix :])

    def outputs(self, image: Tensor) -> dict[str, Tensor]:
        return {LABELS: self.masks(image)}

    def upsample(self, masks: Tensor) -> Tensor:
        """Masks [batch, N, classes] to scores [batch, classes, H, W]."""
        rows, columns = self.config.grid
        height, width = self.config.image
        masks = masks.transpose(1, 2).unflatten(2, (rows, columns))
        size = (rows * self.config.patch, columns * self.config.patch)
        if self.config.upsampling == "bilinear":
            scores = F.interpolate(masks, size=size, mode="bilinear", align_corners=False)
        else:
            scores = F.interpolate(masks, size=size, mode="nearest")
        return scores[:, :, :height, :width]

    def forward(self, image: Tensor) -> Tensor:
        return self.upsample(self.masks(image))
