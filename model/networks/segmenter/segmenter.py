"""Segmenter: ViT encoder and mask-transformer decoder (Strudel et al., 2021).

Parameter names are those of the published repository, so that its checkpoints load unchanged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intarsia.model.networks.segmenter.blocks import LAYER_NORM_EPS, Block, initialise
from intarsia.model.networks.segmenter.config import SegmenterConfig


class PatchEmbedding(nn.Module):
    """Image [batch, 3, H, W] to tokens [batch, N, embed], patches row by row."""

    def __init__(self, patch: int, embed: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed, kernel_size=patch, stride=patch)

    def forward(self, image: Tensor) -> Tensor:
        return self.proj(image).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    """Vision transformer with a class token; returns all 1 + N tokens, normalised."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(config.patch, config.embed)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.embed))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + config.patches, config.embed) * 0.02)
        self.blocks = nn.ModuleList(
            Block(config.embed, config.heads, config.mlp_ratio) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.embed, eps=LAYER_NORM_EPS)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch_embed(image)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class MaskTransformer(nn.Module):
    """Decoder: patch tokens [batch, N, embed] to class masks [batch, N, classes]."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        embed = config.embed
        self.l2norm = config.l2norm
        self.classes = config.classes
        self.proj_dec = nn.Linear(embed, embed)
        self.cls_emb = nn.Parameter(torch.randn(1, config.classes, embed) * 0.02)
        self.blocks = nn.ModuleList(
            Block(embed, config.decoder_head_count, config.mlp_ratio) for _ in range(config.decoder_layers)
        )
        self.decoder_norm = nn.LayerNorm(embed, eps=LAYER_NORM_EPS)
        self.proj_patch = nn.Parameter(torch.randn(embed, embed) * embed**-0.5)
        self.proj_classes = nn.Parameter(torch.randn(embed, embed) * embed**-0.5)
        self.mask_norm = nn.LayerNorm(config.classes, eps=LAYER_NORM_EPS)

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


class Segmenter(nn.Module):
    """Image [batch, 3, H, W], normalised, to class scores [batch, classes, H, W].

    H and W are those of `config.image`; where the patch does not divide them the image is
    padded with zeros to the right and below, and the scores are cut back, as published.
    """

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = MaskTransformer(config)
        self.apply(initialise)

    def masks(self, image: Tensor) -> Tensor:
        """Class masks [batch, N, classes] at patch resolution."""
        rows, columns = (g * self.config.patch for g in self.config.grid)
        padding = (0, columns - image.shape[3], 0, rows - image.shape[2])
        return self.decoder(self.encoder(F.pad(image, padding))[:, 1:])

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
