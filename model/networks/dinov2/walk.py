"""The walk that makes a DINOv2 encoder's graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from intarsia.model.networks.dinov2.config import Dinov2Config
from intarsia.model.networks.walk import Leaf, encoder

if TYPE_CHECKING:
    from intarsia.model.quantize.walk import Walk

V = TypeVar("V")

CLASS_TOKEN, PATCHES = "class_token", "patches"


def walk(ops: Walk[V], config: Dinov2Config) -> tuple[Leaf[V], ...]:
    """Features, 8 bits, of the image that `ops` reads: the class token [1, D] and the patches [N, D]."""
    x = ops.layernorm("encoder.norm", encoder(ops, config), "norm", bits=8)
    token = ops.rows(CLASS_TOKEN, x, 0, 1)
    patches = ops.rows(PATCHES, x, config.prefix, config.prefix + config.patches)
    return Leaf(CLASS_TOKEN, "features", token), Leaf(PATCHES, "features", patches)
