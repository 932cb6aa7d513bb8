"""Random small networks: every layer kind in sizes that fill no lane, line or tile."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.model.data.scenes import generate
from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
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
    most, corner = most or 96, most is not None
    heads = int(rng.integers(1, 4))
    size = int(rng.integers(least, most + 1)), int(rng.integers(least, most + 1))
    config = SegmenterConfig(
        embed=heads * int(rng.choice(widths)),
        heads=heads,
        layers=int(rng.integers(1, 3)),
        decoder_layers=int(rng.integers(1, 3)),
        decoder_heads=int(rng.choice([1, heads])),
        patch=int(rng.choice([8, 16, 32] if corner else [8, 16])),
        image=size,
        classes=int(rng.choice([1, 2, 7, 19, 150, 260])),
        mlp_ratio=int(rng.integers(1, 5)),
        l2norm=False,
    )
    options = QuantizeOptions(
        gelu=str(rng.choice(list(GELU_FORMS))),
        softmax_bits=int(rng.choice([8, 16])),
        multiplier_bits=int(rng.choice([12, 16, 32])),
        reciprocal_bits=int(rng.choice([20, 31, 46])),
    )
    torch.manual_seed(seed)
    picture = generate(seed, size).image
    return quantize(Segmenter(config).eval(), [picture], options), picture
