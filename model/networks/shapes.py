"""Shapes of FP32 parameters without PyTorch, by the keys that walks use: what networks share.

`KEY.weight` of a linear layer is [N, K], `KEY.bias` [N] where it has one; `KEY.weight` of a LayerNorm is
[D]; constant rows are [rows, D] under their own key.
"""

from __future__ import annotations

from intarsia.model.networks.config import EncoderConfig

Shapes = dict[str, tuple[int, ...]]


def encoder(config: EncoderConfig, key: str = "") -> Shapes:
    """Of the encoder whose parameters begin with `key`, its last LayerNorm too."""
    embed = config.embed
    found = linear(f"{key}patch_embed.proj", embed, config.patch**2 * 3)
    found[f"{key}prefix_tokens"] = config.prefix, embed
    found[f"{key}pos_embed"] = config.positions, embed
    found[f"{key}patch_positions"] = config.patches, embed
    for name in ("norm_pre", "norm"):
        found |= norm(f"{key}{name}", embed)
    return found | blocks(config, f"{key}blocks", config.layers, config.qkv_bias)


def blocks(config: EncoderConfig, key: str, count: int, qkv_bias: bool = True) -> Shapes:
    """Of `count` blocks KEY.0, KEY.1, ..."""
    embed, hidden = config.embed, config.embed * config.mlp_ratio
    found: Shapes = {}
    for i in range(count):
        name = f"{key}.{i}"
        found |= norm(f"{name}.norm1", embed) | norm(f"{name}.norm2", embed)
        found |= linear(f"{name}.attn.qkv", 3 * embed, embed, qkv_bias)
        found |= linear(f"{name}.attn.proj", embed, embed)
        found |= linear(f"{name}.mlp.fc1", hidden, embed) | linear(f"{name}.mlp.fc2", embed, hidden)
    return found


def linear(key: str, outputs: int, inputs: int, bias: bool = True) -> Shapes:
    """Of a linear layer."""
    return {f"{key}.weight": (outputs, inputs)} | ({f"{key}.bias": (outputs,)} if bias else {})


def norm(key: str, channels: int) -> Shapes:
    """Of a LayerNorm."""
    return {f"{key}.weight": (channels,)}
