"""The walk that makes a Segmenter's graph.

L2 normalization and bilinear upsampling are not in it: I-Segmenter drops them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from intarsia.model.integer.graph import GRID, LABELS, MASKS
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.networks.walk import Leaf, block, encoder

if TYPE_CHECKING:
    from intarsia.model.quantize.walk import Walk

V = TypeVar("V")


def walk(ops: Walk[V], config: SegmenterConfig) -> tuple[Leaf[V], ...]:
    """Labels of the image that `ops` reads."""
    x = encoder(ops, config, "encoder.")
    x = ops.layernorm("encoder.norm", x, "encoder.norm", bits=8)
    x = ops.rows("encoder.patches", x, config.prefix, config.prefix + config.patches)
    scores = _linear(ops, x) if config.decoder == "linear" else _mask(ops, config, x)
    (rows, columns), (height, width) = config.grid, config.image
    grid = ops.argmax(GRID, scores, height=rows, width=columns)
    labels = ops.nearest(LABELS, grid, patch=config.patch, height=height, width=width)
    return (Leaf(LABELS, "labels", labels, scores),)


def _linear(ops: Walk[V], x: V) -> V:
    """Class scores [N, K], 16 bits: in 8 bits many patches would have ties."""
    return ops.linear("decoder.head", x, "decoder.head", bits=16)


def _mask(ops: Walk[V], config: SegmenterConfig, x: V) -> V:
    """Class scores [N, K], 16 bits, of the mask transformer."""
    patches, classes = config.patches, config.classes
    x = ops.linear("decoder.proj_dec", x, "decoder.proj_dec", bits=16, beside="decoder.cls_emb")
    x = ops.append("decoder.tokens", x, "decoder.cls_emb")
    for i in range(config.decoder_layers):
        name = f"decoder.blocks.{i}"
        x = block(ops, name, x, name, config.decoder_head_count)
    x = ops.layernorm("decoder.norm", x, "decoder.decoder_norm", bits=8)
    z = ops.rows("decoder.patches", x, 0, patches)
    c = ops.rows("decoder.classes", x, patches, patches + classes)
    z = ops.linear("decoder.proj_patch", z, "decoder.proj_patch", bits=8)
    c = ops.linear("decoder.proj_classes", c, "decoder.proj_classes", bits=8)
    masks = ops.matmul("decoder.masks", z, c, bits=16)
    return ops.layernorm(MASKS, masks, "decoder.mask_norm", bits=16)
