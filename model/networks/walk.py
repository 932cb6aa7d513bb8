"""The parts of a walk that networks share: embedding and blocks of a vision transformer.

A walk is a function of a network's folder that calls operators in the order of execution (numerics section
8). Calibration, fake quantization, the integer graph and its outline follow the same walk with other
operators, so that they cannot disagree about the architecture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from intarsia.model.networks.config import EncoderConfig

if TYPE_CHECKING:
    from intarsia.model.quantize.walk import Walk

V = TypeVar("V")


@dataclass(frozen=True)
class Leaf(Generic[V]):
    """What a walk returns of each output: its name, its kind (one of `graph.KINDS`), the tensor.

    scores: of labels, the class scores [N, K] that they are chosen by; fake quantization ends with them,
    for they have a gradient.
    """

    name: str
    kind: str
    value: V
    scores: V | None = None


def encoder(ops: Walk[V], config: EncoderConfig, key: str = "") -> V:
    """All tokens [prefix + N, D], 16 bits, after the last block and before the last LayerNorm.

    key: what the encoder's parameters begin with.
    """
    x = embedding(ops, config, key)
    if config.pre_norm:
        x = ops.layernorm("encoder.norm_pre", x, f"{key}norm_pre", bits=16)
    for i in range(config.layers):
        name = f"blocks.{i}"
        x = block(ops, f"encoder.{name}", x, f"{key}{name}", config.heads)
    return x


def embedding(ops: Walk[V], config: EncoderConfig, key: str) -> V:
    """Patches, embedded, with the tokens before them and the positions.

    Where all tokens have a position, the tokens come first; otherwise the positions of the patches, and the
    tokens before them are constants that hold their own.
    """
    first, tokens = "encoder.patch_embed", f"{key}prefix_tokens" if config.prefix else None
    x = ops.pixels("pixels", ops.image, patch=config.patch, normalization=config.normalization)
    if config.positions == config.prefix + config.patches:
        x = ops.linear(first, x, f"{key}patch_embed.proj", bits=16, beside=tokens)
        if tokens:
            x = ops.prepend("encoder.tokens", x, tokens)
        return ops.residual("encoder.embedding", x, key=f"{key}pos_embed")
    assert tokens is not None, "more positions than tokens"
    x = ops.linear(first, x, f"{key}patch_embed.proj", bits=16)
    x = ops.residual("encoder.embedding", x, key=f"{key}patch_positions", beside=tokens)
    return ops.prepend("encoder.tokens", x, tokens)


def block(ops: Walk[V], name: str, x: V, key: str, heads: int) -> V:
    """A transformer block: attention and MLP, each added to the residual, 16 bits."""
    y = ops.layernorm(f"{name}.norm1", x, f"{key}.norm1", bits=8)
    qkv = ops.linear(f"{name}.qkv", y, f"{key}.attn.qkv", bits=8)
    scores = ops.scores(f"{name}.scores", qkv, heads)
    probabilities = ops.shiftmax(f"{name}.shiftmax", scores)
    y = ops.mix(f"{name}.mix", probabilities, qkv)
    y = ops.linear(f"{name}.proj", y, f"{key}.attn.proj", bits=16)
    x = ops.residual(f"{name}.residual1", y, x)
    y = ops.layernorm(f"{name}.norm2", x, f"{key}.norm2", bits=8)
    y = ops.linear(f"{name}.fc1", y, f"{key}.mlp.fc1", bits=8)
    y = ops.gelu(f"{name}.gelu", y)
    y = ops.linear(f"{name}.fc2", y, f"{key}.mlp.fc2", bits=16)
    return ops.residual(f"{name}.residual2", y, x)
