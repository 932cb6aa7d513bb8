"""Shape of a Segmenter: the numbers that decide every tensor of the network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from intarsia.model.errors import InputError
from intarsia.model.messages import printable, shortened

PATCHES = (8, 16, 32)
NORMALIZATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "vit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "deit": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and deviation per RGB channel on the 0..1 scale, by the names that Segmenter's files use."""

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
class SegmenterConfig:
    """A Segmenter: ViT encoder of `layers` blocks, mask transformer of `decoder_layers` blocks.

    image: (height, width) in pixels of the window that the position embedding is for.
    l2norm, upsampling: the two steps that I-Segmenter drops; published: True and "bilinear".
    dataset: whose classes they are, where that is known; it names and colours them.
    decoder_heads: where the decoder's attention has another number of heads than the encoder's.
    """

    embed: int
    heads: int
    layers: int
    image: tuple[int, int]
    classes: int
    patch: int = 16
    decoder_layers: int = 2
    mlp_ratio: int = 4
    l2norm: bool = True
    upsampling: Literal["bilinear", "nearest"] = "bilinear"
    normalization: str = "vit"
    dataset: str | None = None
    decoder_heads: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", tuple(self.image))
        positive = ["embed", "heads", "classes", "decoder_layers", "layers", "mlp_ratio"]
        for key in [*positive, *(["decoder_heads"] if self.decoder_heads is not None else [])]:
            value = getattr(self, key)
            if type(value) is not int or value < 1:
                raise InputError(f"{key} must be a positive integer, not {shortened(value)}")
        if self.decoder_heads == self.heads:
            object.__setattr__(self, "decoder_heads", None)  # equal networks compare equal
        for key, heads in (("heads", self.heads), ("decoder_heads", self.decoder_head_count)):
            if self.embed % heads:
                raise InputError(
                    f"embed must be a multiple of {key} ({shortened(heads)}), not {shortened(self.embed)}"
                )
        if self.patch not in PATCHES:
            raise InputError(f"patch must be one of {PATCHES}, not {shortened(self.patch)}")
        if len(self.image) != 2 or any(not isinstance(s, int) or s < 1 for s in self.image):
            raise InputError(
                f"image must be two positive integers (height, width), not {shortened(self.image)}"
            )
        if type(self.l2norm) is not bool:
            raise InputError(f"l2norm must be true or false, not {shortened(self.l2norm)}")
        if self.dataset is not None and self.dataset not in DATASETS:
            raise InputError(f"dataset must be one of {', '.join(DATASETS)}, not {shortened(self.dataset)}")
        if self.upsampling not in ("bilinear", "nearest"):
            raise InputError(f"upsampling must be bilinear or nearest, not {shortened(self.upsampling)}")
        if self.normalization not in NORMALIZATIONS:
            raise InputError(
                f"normalization must be one of {tuple(NORMALIZATIONS)}, not {shortened(self.normalization)}"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Patches down and across; the last ones are padded where `patch` does not divide."""
        return -(-self.image[0] // self.patch), -(-self.image[1] // self.patch)

    @property
    def patches(self) -> int:
        """Number of patches N."""
        return self.grid[0] * self.grid[1]

    @property
    def head_dim(self) -> int:
        """Channels d of one of the encoder's attention heads."""
        return self.embed // self.heads

    @property
    def decoder_head_count(self) -> int:
        """Heads of the decoder's attention."""
        return self.heads if self.decoder_heads is None else self.decoder_heads

    def paper(self) -> SegmenterConfig:
        """The same network as I-Segmenter runs it: no L2 normalization, nearest upsampling."""
        return replace(self, l2norm=False, upsampling="nearest")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "image": list(self.image)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SegmenterConfig:
        """Inverse of `to_dict`; unknown or missing keys are refused by name."""
        unknown = sorted(set(values) - set(cls.__dataclass_fields__))
        if unknown:
            raise InputError(
                f"unknown keys in the model description: {printable(', '.join(unknown)[:300])}"
            )
        try:
            return cls(**{**values, "image": tuple(values["image"])})
        except (KeyError, TypeError) as error:
            raise InputError(f"incomplete model description: {error}") from None

    @classmethod
    def named(cls, size: str, dataset: str = "ade20k", **changes: Any) -> SegmenterConfig:
        """One of the paper's sizes on a dataset's window and classes."""
        if size not in SIZES:
            raise InputError(f"size must be one of {', '.join(SIZES)}, not {size!r}")
        if dataset not in DATASETS:
            raise InputError(f"dataset must be one of {', '.join(DATASETS)}, not {dataset!r}")
        return cls(**{**SIZES[size], **DATASETS[dataset], "dataset": dataset, **changes})
