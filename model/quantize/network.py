"""The quantized Segmenter as one walk (numerics section 8).

Calibration, fake quantization and the integer graph follow the same walk with other operators,
so that they cannot disagree about the architecture. L2 normalization and bilinear upsampling
are not in it: I-Segmenter drops them.
"""

from __future__ import annotations

from typing import TypeVar

from intarsia.model.integer.graph import MASKS
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.quantize.walk import Walk

V = TypeVar("V")


def segment(ops: Walk[V], config: SegmenterConfig) -> V:
    """Class scores [N, K], 16 bits, of the image that `ops` reads."""
    patches = config.patches
    x = ops.pixels("pixels", ops.image, patch=config.patch, normalization=config.normalization)
    x = ops.linear(
        "encoder.patch_embed", x, "encoder.patch_embed.proj", bits=16, beside="encoder.cls_token"
    )
    x = ops.prepend("encoder.tokens", x, "encoder.cls_token")
    x = ops.residual("encoder.embedding", x, key="encoder.pos_embed")
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


def _block(ops: Walk[V], name: str, x: V, heads: int) -> V:
    y = ops.layernorm(f"{name}.norm1", x, f"{name}.norm1", bits=8)
    qkv = ops.linear(f"{name}.qkv", y, f"{name}.attn.qkv", bits=8)
    scores = ops.scores(f"{name}.scores", qkv, heads)
    probabilities = ops.shiftmax(f"{name}.shiftmax", scores)
    y = ops.mix(f"{name}.mix", probabilities, qkv)
    y = ops.linear(f"{name}.proj", y, f"{name}.attn.proj", bits=16)
    x = ops.residual(f"{name}.residual1", y, x)
    y = ops.layernorm(f"{name}.norm2", x, f"{name}.norm2", bits=8)
    y = ops.linear(f"{name}.fc1", y, f"{name}.mlp.fc1", bits=8)
    y = ops.gelu(f"{name}.gelu", y)
    y = ops.linear(f"{name}.fc2", y, f"{name}.mlp.fc2", bits=16)
    return ops.residual(f"{name}.residual2", y, x)
