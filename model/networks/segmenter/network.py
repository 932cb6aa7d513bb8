"""Segmenter's entries of the registry: with the mask transformer, and with the linear decoder."""

from __future__ import annotations

from dataclasses import replace

from intarsia.model.networks.network import Network
from intarsia.model.networks.segmenter.agree import agree
from intarsia.model.networks.segmenter.config import DATASETS, SIZES, SegmenterConfig
from intarsia.model.networks.segmenter.shapes import shapes
from intarsia.model.networks.segmenter.walk import walk

_MASK = Network(
    name="segmenter",
    title="Segmenter with the mask transformer",
    source="Strudel et al., 2021, arXiv:2105.05633",
    task="segmentation",
    config=SegmenterConfig,
    sizes=SIZES,
    datasets=DATASETS,
    shapes=shapes,
    walk=walk,
    agree=agree,
    module="intarsia.model.networks.segmenter.segmenter:Segmenter",
)

NETWORKS = {
    network.name: network
    for network in (
        _MASK,
        replace(
            _MASK,
            name="segmenter-linear",
            title="Segmenter with the linear decoder",
            sizes={size: {**shape, "decoder": "linear"} for size, shape in SIZES.items()},
        ),
    )
}
