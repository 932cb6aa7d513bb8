"""DINOv2's entry of the registry."""

from __future__ import annotations

from intarsia.model.networks.dinov2.agree import agree
from intarsia.model.networks.dinov2.config import REFUSED, SIZES, Dinov2Config
from intarsia.model.networks.dinov2.shapes import shapes
from intarsia.model.networks.dinov2.walk import walk
from intarsia.model.networks.network import Network

NETWORKS = {
    "dinov2": Network(
        name="dinov2",
        title="DINOv2 encoder, also with registers",
        source="Oquab et al., 2023, arXiv:2304.07193",
        task="features",
        config=Dinov2Config,
        sizes=SIZES,
        datasets={},
        shapes=shapes,
        walk=walk,
        agree=agree,
        module="intarsia.model.networks.dinov2.dinov2:Dinov2",
        refused=REFUSED,
    )
}
