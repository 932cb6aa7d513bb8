"""Shape of a DINOv2 encoder: the numbers that decide every tensor of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from intarsia.model.networks.config import EncoderConfig

REGISTERS = 4

IMAGE = (518, 518)
"""Of the published position embeddings."""

SIZES: dict[str, dict[str, Any]] = {
    f"{size}{suffix}": {**shape, "image": IMAGE, "registers": REGISTERS if suffix else 0}
    for suffix in ("", "-registers")
    for size, shape in {
        "small": {"embed": 384, "heads": 6, "layers": 12},
        "base": {"embed": 768, "heads": 12, "layers": 12},
        "large": {"embed": 1024, "heads": 16, "layers": 24},
    }.items()
}
"""Oquab et al. (2023), table 17, and with the registers of Darcet et al. (2024)."""

REFUSED = {"giant": "its MLP is SwiGLU, which the integers do not have"}
"""Published sizes that cannot be run, and why."""


@dataclass(frozen=True, kw_only=True)
class Dinov2Config(EncoderConfig):
    """A DINOv2 encoder: what leaves are the class token and the patches after the last LayerNorm."""

    patch: int = 14
    normalization: str = "deit"
    layer_scale: bool = True

    @property
    def network(self) -> str:
        """Name of the network that these numbers describe."""
        return "dinov2"
