"""Random small networks of every kind: every layer kind in sizes that fill no lane, line or tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.model.data.scenes import generate
from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks import NAMES, find
from intarsia.model.networks.network import Network
from intarsia.model.quantize.ptq import quantize

WIDTHS = (4, 16, 24, 33, 64)
"""Channels of a head."""

SIDES = (96, 48, 24, 8)
"""Most pixels of networks that are tried where a machine may be too small."""


def random_network(seed: int, most: int | None = None) -> tuple[Graph, NDArray[np.uint8]]:
    """The network of a seed, quantized, and a picture uint8 [H, W, 3] of its window.

    most: the window is at most so high and wide, down to a pixel, heads may have a single channel, and a
    patch may be larger than the picture.
    """
    rng = np.random.default_rng(seed if most is None else (seed, most))
    least, widths = (9, WIDTHS) if most is None else (1, (1, 2, 8, *WIDTHS))
    patches = (8, 14, 16) if most is None else (5, 8, 14, 16, 32)
    most = most or 96
    heads = int(rng.integers(1, 4))
    size = int(rng.integers(least, most + 1)), int(rng.integers(least, most + 1))
    network = find(str(rng.choice(NAMES)))
    config = network.config(
        embed=heads * int(rng.choice(widths)),
        heads=heads,
        layers=int(rng.integers(1, 3)),
        patch=int(rng.choice(patches)),
        image=size,
        mlp_ratio=int(rng.integers(1, 5)),
        normalization="deit",
        layer_scale=False,
        pre_norm=bool(rng.random() < 0.2),
        qkv_bias=bool(rng.random() < 0.8),
        registers=int(rng.choice([0, 0, 1, 4])),
        class_position=bool(rng.random() < 0.8),
        **_own(rng, network, heads),
    )
    options = QuantizeOptions(
        gelu=str(rng.choice(list(GELU_FORMS))),
        softmax_bits=int(rng.choice([8, 16])),
        multiplier_bits=int(rng.choice([12, 16, 32])),
        reciprocal_bits=int(rng.choice([20, 31, 46])),
    )
    torch.manual_seed(seed)
    picture = generate(seed, size).image
    return quantize(network.make(config).eval(), [picture], options), picture


def _own(rng: np.random.Generator, network: Network, heads: int) -> dict[str, Any]:
    """The numbers that only networks of its task have."""
    if network.task == "features":
        return {}
    classes = {"classes": int(rng.choice([1, 2, 7, 19, 150, 260]))}
    if network.task == "classification":
        if network.name == "deit":
            return {**classes, "distilled": True}
        pool = str(rng.choice(["token", "mean"]))
        return {**classes, "pool": pool, "pool_norm": bool(rng.random() < 0.4)}
    distilled = {"distilled": bool(rng.random() < 0.2), "l2norm": False}
    if network.name == "segmenter-linear":
        return {**classes, **distilled, "decoder": "linear"}
    decoder = {"decoder_layers": int(rng.integers(1, 3)), "decoder_heads": int(rng.choice([1, heads]))}
    return {**classes, **distilled, **decoder}
