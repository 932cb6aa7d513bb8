"""The transformer block that Segmenter's encoder and decoder share."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

LAYER_NORM_EPS = 1e-5
"""As published; the integer LayerNorm replaces it by a floor of 1 on the deviation."""


class Attention(nn.Module):
    """Multi-head self-attention over [batch, tokens, embed]."""

    def __init__(self, embed: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(embed, 3 * embed)
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


class Block(nn.Module):
    """Pre-norm transformer block: attention and MLP, each added to the residual."""

    def __init__(self, embed: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed, eps=LAYER_NORM_EPS)
        self.attn = Attention(embed, heads)
        self.norm2 = nn.LayerNorm(embed, eps=LAYER_NORM_EPS)
        self.mlp = Mlp(embed, mlp_ratio * embed)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def initialise(module: nn.Module) -> None:
    """Truncated normal weights and zero biases, as ViT and Segmenter start."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
