"""Shape of a ViT that classifies pictures: the numbers that decide every tensor of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from intarsia.model.errors import InputError
from intarsia.model.messages import shortened
from intarsia.model.networks.config import EncoderConfig

MAX_CLASSES = 2**16
"""An index of a class has at most 16 bits."""

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"embed": 192, "heads": 3, "layers": 12},
    "small": {"embed": 384, "heads": 6, "layers": 12},
    "base": {"embed": 768, "heads": 12, "layers": 12},
    "large": {"embed": 1024, "heads": 16, "layers": 24},
    "huge": {"embed": 1280, "heads": 16, "layers": 32, "patch": 14},
}
"""Dosovitskiy et al. (2021), table 1; tiny and small are DeiT's (Touvron et al., 2021, table 1)."""

DEIT_SIZES: dict[str, dict[str, Any]] = {
    f"{size}{suffix}": {**SIZES[size], "normalization": "deit", "distilled": bool(suffix)}
    for suffix in ("", "-distilled")
    for size in ("tiny", "small", "base")
}

DATASETS: dict[str, dict[str, Any]] = {"imagenet": {"image": (224, 224), "classes": 1000}}
"""Picture and number of classes per dataset."""


@dataclass(frozen=True, kw_only=True)
class ViTConfig(EncoderConfig):
    """A ViT with a linear classifier.

    pool: what the classifier sees, the class token or the mean of all patches.
    pool_norm: whether the last LayerNorm stands after the pooling (timm's fc_norm) instead of before it.

    A distilled one has a classifier for each of its two class tokens; the scores are their mean.
    """

    classes: int
    pool: Literal["token", "mean"] = "token"
    pool_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes > MAX_CLASSES:
            raise InputError(f"classes must be at most {MAX_CLASSES}, not {shortened(self.classes)}")
        if self.pool not in ("token", "mean"):
            raise InputError(f"pool must be token or mean, not {shortened(self.pool)}")
        if self.pool == "token" and not self.class_token:
            raise InputError("class_token must be true where pool is token, not False")
        if self.distilled and self.pool != "token":
            raise InputError(f"pool of a distilled ViT must be token, not {self.pool}")

    def positive(self) -> list[str]:
        """Names of the numbers that must be at least 1."""
        return [*super().positive(), "classes"]

    @property
    def network(self) -> str:
        """Name of the network that these numbers describe."""
        return "deit" if self.distilled else "vit"
