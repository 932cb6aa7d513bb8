"""The entries of the registry of classifying ViTs: ViT's own sizes, and DeiT's."""

from __future__ import annotations

from dataclasses import replace

from intarsia.model.networks.network import Network
from intarsia.model.networks.vit.agree import agree
from intarsia.model.networks.vit.config import DATASETS, DEIT_SIZES, SIZES, ViTConfig
from intarsia.model.networks.vit.shapes import shapes
from intarsia.model.networks.vit.walk import walk

_VIT = Network(
    name="vit",
    title="ViT, classification",
    source="Dosovitskiy et al., 2021, arXiv:2010.11929",
    task="classification",
    config=ViTConfig,
    sizes={size: {"normalization": "vit", **shape} for size, shape in SIZES.items()},
    datasets=DATASETS,
    shapes=shapes,
    walk=walk,
    agree=agree,
    module="intarsia.model.networks.vit.vit:ViT",
)

NETWORKS = {
    network.name: network
    for network in (
        _VIT,
        replace(
            _VIT,
            name="deit",
            title="DeiT, classification, also distilled",
            source="Touvron et al., 2021, arXiv:2012.12877",
            sizes=DEIT_SIZES,
        ),
    )
}
