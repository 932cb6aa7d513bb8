"""Shape of a Segmenter: the numbers that decide every tensor of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from intarsia.model.errors import InputError
from intarsia.model.messages import shortened
from intarsia.model.networks.config import NORMALIZATIONS, EncoderConfig

__all__ = ["DATASETS", "NORMALIZATIONS", "PAPER_SIZES", "SIZES", "SegmenterConfig"]

SIZES: dict[str, dict[str, int]] = {
    "mini": {"embed": 128, "heads": 2, "layers": 4},
    "tiny": {"embed": 192, "heads": 3, "layers": 12},
    "small": {"embed": 384, "heads": 6, "layers": 12},
    "base": {"embed": 768, "heads": 12, "layers": 12},
    "large": {"embed": 1024, "heads": 16, "layers": 24},
}
"""The four encoders of the I-Segmenter paper (numerics section 8) and, for scenes, a small one."""

PAPER_SIZES = ("tiny", "small", "base", "large")

DATASETS: dict[str, dict[str, Any]] = {
    "ade20k": {"image": (512, 512), "classes": 150},
    "cityscapes": {"image": (768, 768), "classes": 19},
    "scenes": {"image": (192, 256), "classes": 10, "patch": 8},
}
"""Window and number of classes per dataset; scenes are small, so their patches are too."""


@dataclass(frozen=True, kw_only=True)
class SegmenterConfig(EncoderConfig):
    """A Segmenter: ViT encoder and, for `decoder` "mask", a mask transformer of `decoder_layers` blocks.

    decoder: "mask" or "linear", one linear layer from patch tokens to class scores.
    l2norm, upsampling: the two steps that I-Segmenter drops; published: True and "bilinear". The linear
    decoder has no L2 normalization.
    dataset: whose classes they are, where that is known; it names and colours them.
    decoder_heads: where the decoder's attention has another number of heads than the encoder's.
    """

    norm_eps: ClassVar[float] = 1e-5

    classes: int
    normalization: str = "vit"
    decoder: Literal["mask", "linear"] = "mask"
    decoder_layers: int = 2
    l2norm: bool = True
    upsampling: Literal["bilinear", "nearest"] = "bilinear"
    decoder_heads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decoder not in ("mask", "linear"):
            raise InputError(f"decoder must be mask or linear, not {shortened(self.decoder)}")
        if self.decoder_heads == self.heads:
            object.__setattr__(self, "decoder_heads", None)  # equal networks compare equal
        self.check_heads("decoder_heads", self.decoder_head_count)
        if self.dataset is not None and self.dataset not in DATASETS:
            raise InputError(f"dataset must be one of {', '.join(DATASETS)}, not {shortened(self.dataset)}")
        if self.upsampling not in ("bilinear", "nearest"):
            raise InputError(f"upsampling must be bilinear or nearest, not {shortened(self.upsampling)}")

    def positive(self) -> list[str]:
        """Names of the numbers that must be at least 1."""
        heads = ["decoder_heads"] if self.decoder_heads is not None else []
        return [*super().positive(), "classes", "decoder_layers", *heads]

    @property
    def network(self) -> str:
        """Name of the network that these numbers describe."""
        return "segmenter" if self.decoder == "mask" else "segmenter-linear"

    @property
    def decoder_head_count(self) -> int:
        """Heads of the decoder's attention."""
        return self.heads if self.decoder_heads is None else self.decoder_heads

    def integer(self) -> SegmenterConfig:
        """The same network as I-Segmenter runs it: no L2 normalization, nearest upsampling."""
        return replace(super().integer(), l2norm=False, upsampling="nearest")

    @classmethod
    def named(cls, size: str, dataset: str = "ade20k", **changes: Any) -> SegmenterConfig:
        """One of the paper's sizes on a dataset's window and classes."""
        if size not in SIZES:
            raise InputError(f"size must be one of {', '.join(SIZES)}, not {size!r}")
        if dataset not in DATASETS:
            raise InputError(f"dataset must be one of {', '.join(DATASETS)}, not {dataset!r}")
        return cls(**{**SIZES[size], **DATASETS[dataset], "dataset": dataset, **changes})
