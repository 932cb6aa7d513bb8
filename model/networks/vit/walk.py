"""The walk that makes a classifying ViT's graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from intarsia.model.networks.vit.config import ViTConfig
from intarsia.model.networks.walk import Leaf, encoder

if TYPE_CHECKING:
    from intarsia.model.quantize.walk import Walk

V = TypeVar("V")

CLASSES = "classes"


def walk(ops: Walk[V], config: ViTConfig) -> tuple[Leaf[V], ...]:
    """Class scores [1, K], 16 bits, of the image that `ops` reads."""
    x = encoder(ops, config)
    if not config.pool_norm:
        x = ops.layernorm("encoder.norm", x, "norm", bits=8)
    if config.pool == "mean":
        first, last = config.prefix, config.prefix + config.patches
        pooled = (
            _sum(ops, x, first, last) if config.pool_norm else ops.mean("head.pool", x, first, last, bits=8)
        )
        return (Leaf(CLASSES, CLASSES, _head(ops, config, CLASSES, "head", pooled)),)
    token = ops.rows("head.token", x, 0, 1)
    if not config.distilled:
        return (Leaf(CLASSES, CLASSES, _head(ops, config, CLASSES, "head", token)),)
    scores = _head(ops, config, "head.scores", "head", token)
    second = _head(ops, config, "head.dist_scores", "head_dist", ops.rows("head.dist_token", x, 1, 2))
    return (Leaf(CLASSES, CLASSES, ops.residual(CLASSES, scores, second, share=0.5)),)


def _head(ops: Walk[V], config: ViTConfig, name: str, key: str, x: V) -> V:
    if config.pool_norm:
        x = ops.layernorm(f"{key}.fc_norm", x, "fc_norm", bits=8)
    return ops.linear(name, x, key, bits=16)


def _sum(ops: Walk[V], x: V, start: int, stop: int) -> V:
    """Sum [1, D] of the rows start..stop of x, 16 bits: halves are added to each other until one is left.

    What a LayerNorm follows may be the sum in the place of the mean. The channels of a residual differ in
    range by more than 8 bits hold, so that the mean of 8 bits would lose the small ones before the
    LayerNorm; here every addition keeps 16 bits and has a scale of its own.
    """
    left: list[V] = []
    count, level = stop - start, 0
    while count > 1:
        half, name = count // 2, f"head.pool.{level}"
        first = ops.rows(f"{name}.first", x, start, start + half)
        second = ops.rows(f"{name}.second", x, start + half, start + 2 * half)
        if count % 2:
            left.append(ops.rows(f"{name}.odd", x, start + 2 * half, start + count))
        x = ops.residual(name, first, second)
        start, count, level = 0, half, level + 1
    for i, row in enumerate(left):
        x = ops.residual(f"head.pool.odd.{i}", x, row)
    return x if level else ops.rows("head.pool", x, start, stop)
