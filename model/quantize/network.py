"""The quantized Segmenter as one walk over abstract operators (numerics section 8).

Calibration, fake quantization and the integer graph follow the same walk with other operators,
so that they cannot disagree about the architecture. L2 normalization and bilinear upsampling
are not in it: I-Segmenter drops them.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from intarsia.model.integer.graph import MASKS
from intarsia.model.networks.segmenter.config import SegmenterConfig

V = TypeVar("V")


class Operators(Protocol[V]):
    """What a walk needs; `name` is that of the tensor made, `V` what stands for a tensor.

    Keys name parameters of `Segmenter`; every tensor has one scale and `bits` per element.
    """

    def pixels(self, name: str) -> V:
        """Patches of the image, 8 bits: [N, P*P*3]."""

    def linear(self, name: str, x: V, key: str, *, bits: int, beside: str | None = None) -> V:
        """x times a weight, plus its bias; the scale also fits the constant `beside`."""

    def matmul(self, name: str, x: V, y: V, *, bits: int) -> V:
        """x [N, D] times y [K, D] transposed."""

    def prepend(self, name: str, x: V, key: str) -> V:
        """Constant rows before x, at the scale of x."""

    def append(self, name: str, x: V, key: str) -> V:
        """Constant rows after x, at the scale of x."""

    def rows(self, name: str, x: V, start: int, stop: int) -> V:
        """Rows start..stop of x."""

    def add(self, name: str, x: V, identity: V) -> V:
        """x + identity, 16 bits."""

    def add_constant(self, name: str, x: V, key: str) -> V:
        """x plus a constant of the same shape, 16 bits."""

    def layernorm(self, name: str, x: V, key: str, *, bits: int) -> V:
        """LayerNorm over the last axis."""

    def scores(self, name: str, qkv: V, heads: int) -> V:
        """q k^T d^-1/2 per head, 8 bits: [H, T, T]."""

    def shiftmax(self, name: str, scores: V) -> V:
        """Softmax over the keys."""

    def mix(self, name: str, probabilities: V, qkv: V) -> V:
        """Probabilities times v, heads side by side, 8 bits: [T, D]."""

    def gelu(self, name: str, x: V) -> V:
        """GELU, 8 bits."""


def segment(ops: Operators[V], config: SegmenterConfig) -> V:
    """Class scores [N, K], 16 bits, of the image that `ops` reads."""
    patches = config.patches
    x = ops.pixels("pixels")
    x = ops.linear(
        "encoder.patch_embed", x, "encoder.patch_embed.proj", bits=16, beside="encoder.cls_token"
    )
    x = ops.prepend("encoder.tokens", x, "encoder.cls_token")
    x = ops.add_constant("encoder.embedding", x, "encoder.pos_embed")
    for i in range(config.layers):
        x = _block(ops, f"encoder.blocks.{i}", x, config.heads)
    x = ops.layernorm("encoder.norm", x, "encoder.norm", bits=8)
    x = ops.rows("encoder.patches", x, 1, 1 + patches)
    x = ops.linear("decoder.proj_dec", x, "decoder.proj_dec", bits=16, beside="decoder.cls_emb")
    x = ops.append("decoder.tokens", x, "decoder.cls_emb")
    for i in range(config.decoder_layers):
        x = _block(ops, f"decoder.blocks.{i}", x, config.decoder_head_count)
    x = ops.layernorm("decoder.norm", x, "decoder.decoder_norm", bits=8)
    z = ops.rows("decoder.patches", x, 0, patches)
    c = ops.rows("decoder.classes", x, patches, patches + config.classes)
    z = ops.linear("decoder.proj_patch", z, "decoder.proj_patch", bits=8)
    c = ops.linear("decoder.proj_classes", c, "decoder.proj_classes", bits=8)
    masks = ops.matmul("decoder.masks", z, c, bits=16)
    # 16 bits before the argmax: in 8 bits many patches would have ties.
    return ops.layernorm(MASKS, masks, "decoder.mask_norm", bits=16)


def _block(ops: Operators[V], name: str, x: V, heads: int) -> V:
    y = ops.layernorm(f"{name}.norm1", x, f"{name}.norm1", bits=8)
    qkv = ops.linear(f"{name}.qkv", y, f"{name}.attn.qkv", bits=8)
    scores = ops.scores(f"{name}.scores", qkv, heads)
    probabilities = ops.shiftmax(f"{name}.shiftmax", scores)
    y = ops.mix(f"{name}.mix", probabilities, qkv)
    y = ops.linear(f"{name}.proj", y, f"{name}.attn.proj", bits=16)
    x = ops.add(f"{name}.residual1", y, x)
    y = ops.layernorm(f"{name}.norm2", x, f"{name}.norm2", bits=8)
    y = ops.linear(f"{name}.fc1", y, f"{name}.mlp.fc1", bits=8)
    y = ops.gelu(f"{name}.gelu", y)
    y = ops.linear(f"{name}.fc2", y, f"{name}.mlp.fc2", bits=16)
    return ops.add(f"{name}.residual2", y, x)
