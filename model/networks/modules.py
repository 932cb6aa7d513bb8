"""The vision transformer that all networks share, in PyTorch FP32.

Parameters have the names of timm's `VisionTransformer`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from dataclasses import replace
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intarsia.model.networks.config import EncoderConfig

M = TypeVar("M", bound=nn.Module)


class Model(nn.Module, ABC):
    """A whole network: its configuration, and its outputs by the names that its graph gives them."""

    config: EncoderConfig

    @abstractmethod
    def outputs(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs [batch, T, D] of images [batch, 3, H, W], normalised; of labels scores [batch, N, K]."""


class PatchEmbedding(nn.Module):
    """Image [batch, 3, H, W] to tokens [batch, N, embed], patches row by row."""

    def __init__(self, patch: int, embed: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed, kernel_size=patch, stride=patch)

    def forward(self, image: Tensor) -> Tensor:
        return self.proj(image).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention over [batch, tokens, embed]."""

    def __init__(self, embed: int, heads: int, qkv_bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(embed, 3 * embed, bias=qkv_bias)
        self.proj = nn.Linear(embed, embed)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, embed = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, embed))


class Mlp(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, embed: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, embed)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class LayerScale(nn.Module):
    """A gain per channel (Touvron et al., 2021, "Going deeper with image transformers")."""

    def __init__(self, embed: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((embed,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """Pre-norm transformer block: attention and MLP, each added to the residual."""

    def __init__(self, config: EncoderConfig, heads: int) -> None:
        super().__init__()
        embed, eps, scaled = config.embed, config.norm_eps, config.layer_scale
        self.norm1 = nn.LayerNorm(embed, eps=eps)
        self.attn = Attention(embed, heads, config.qkv_bias)
        self.ls1 = LayerScale(embed) if scaled else nn.Identity()
        self.norm2 = nn.LayerNorm(embed, eps=eps)
        self.mlp = Mlp(embed, config.mlp_ratio * embed)
        self.ls2 = LayerScale(embed) if scaled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Encoder(nn.Module):
    """Vision transformer: image [batch, 3, H, W] to its tokens [batch, prefix + N, embed].

    H and W are those of `config.image`; where the patch does not divide them the image is padded with zeros
    to the right and below.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        embed, eps = config.embed, config.norm_eps
        self.patch_embed = PatchEmbedding(config.patch, embed)
        if config.class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, embed))
        if config.distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, embed))
        if config.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, config.registers, embed))
        self.pos_embed = nn.Parameter(torch.randn(1, config.positions, embed) * 0.02)
        if config.pre_norm:
            self.norm_pre = nn.LayerNorm(embed, eps=eps)
        self.blocks = nn.ModuleList(Block(config, config.heads) for _ in range(config.layers))
        self.norm: nn.Module = nn.LayerNorm(embed, eps=eps)

    @property
    def _every_token(self) -> bool:
        """Whether each token has a position."""
        return self.config.positions == self.config.prefix + self.config.patches

    @property
    def prefix_tokens(self) -> Tensor:
        """Tokens [1, prefix, embed] before the patches, with their positions unless every token has one."""
        names = [name for name in ("cls_token", "dist_token") if hasattr(self, name)]
        tokens = torch.cat([getattr(self, name) for name in names], dim=1) if names else None
        own = self.config.positions - self.config.patches
        if tokens is not None and not self._every_token and own:
            tokens = tokens + self.pos_embed[:, :own]
        parts = [tokens, getattr(self, "reg_token", None)]
        return torch.cat([part for part in parts if part is not None], dim=1)

    @property
    def patch_positions(self) -> Tensor:
        """Position embedding [1, N, embed] of the patches."""
        return self.pos_embed[:, -self.config.patches :]

    def embedded(self, image: Tensor) -> Tensor:
        """Tokens [batch, prefix + N, embed] before the first block."""
        rows, columns = (g * self.config.patch for g in self.config.grid)
        x = self.patch_embed(F.pad(image, (0, columns - image.shape[3], 0, rows - image.shape[2])))
        if self._every_token:
            return self._joined(x) + self.pos_embed
        return self._joined(x + self.patch_positions)

    def _joined(self, x: Tensor) -> Tensor:
        if not self.config.prefix:
            return x
        return torch.cat([self.prefix_tokens.expand(len(x), -1, -1), x], dim=1)

    def tokens(self, image: Tensor) -> Tensor:
        """Tokens [batch, prefix + N, embed] after the last block, before the last LayerNorm."""
        x = self.embedded(image)
        if self.config.pre_norm:
            x = self.norm_pre(x)
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.tokens(image))


def initialise(module: nn.Module) -> None:
    """Truncated normal weights and zero biases, as ViT and Segmenter start."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def folded(model: M) -> M:
    """The same function without LayerScale: each gain is multiplied into the layer before it.

    A model that has none is returned itself, another is copied.
    """
    if not any(isinstance(module, LayerScale) for module in model.modules()):
        return model
    model = deepcopy(model)
    for module in model.modules():
        if isinstance(module, Block) and isinstance(module.ls1, LayerScale):
            assert isinstance(module.ls2, LayerScale)
            with torch.no_grad():
                for layer, gain in (
                    (module.attn.proj, module.ls1.gamma),
                    (module.mlp.fc2, module.ls2.gamma),
                ):
                    layer.weight.mul_(gain[:, None])
                    layer.bias.mul_(gain)
            module.ls1 = module.ls2 = nn.Identity()
        if isinstance(config := getattr(module, "config", None), EncoderConfig):
            vars(module)["config"] = replace(config, layer_scale=False)
    return model
