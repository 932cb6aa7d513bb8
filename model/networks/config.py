"""Shape of a vision transformer: the numbers that every network's encoder is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

from intarsia.model.errors import InputError
from intarsia.model.messages import printable, shortened

MAX_PATCH = 1024
"""Pixels of a patch, down and across."""

NORMALIZATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "vit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "deit": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and deviation per RGB channel on the 0..1 scale. "vit" and "deit" are the names that Segmenter's
files use; "deit" is ImageNet's mean and deviation, which DINOv2 and MAE have too."""


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """A vision transformer of `layers` blocks; the base of every network's configuration.

    image: (height, width) in pixels of the window that the position embedding is for.
    patch: side of a patch in pixels, 1..1024; what it does not divide is padded to the right and below.
    mlp_ratio: channels of the MLP / embed.
    normalization: mean and deviation of the pixels, a name of NORMALIZATIONS.
    dataset: whose classes they are, where that is known.
    class_token, distilled: whether a class token stands first, and DeiT's second token after it.
    registers: tokens after those, that nothing reads (Darcet et al., 2024); without positions.
    class_position: whether the class token (and DeiT's) has a position embedding.
    pre_norm: whether a LayerNorm stands before the first block.
    qkv_bias: whether queries, keys and values have a bias.
    layer_scale: whether the FP32 network multiplies each branch by a gain per channel (Touvron et al.,
    2021); integers have it inside the weights, see `integer`.
    """

    norm_eps: ClassVar[float] = 1e-6
    """Of the FP32 LayerNorms; the integer LayerNorm replaces it by a floor of 1 on the deviation."""

    embed: int
    heads: int
    layers: int
    image: tuple[int, int]
    patch: int = 16
    mlp_ratio: int = 4
    normalization: str
    dataset: str | None = None
    class_token: bool = True
    distilled: bool = False
    registers: int = 0
    class_position: bool = True
    pre_norm: bool = False
    qkv_bias: bool = True
    layer_scale: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", tuple(self.image))
        for key in self.positive():
            value = getattr(self, key)
            if type(value) is not int or value < 1:
                raise InputError(f"{key} must be a positive integer, not {shortened(value)}")
        self.check_heads("heads", self.heads)
        if type(self.patch) is not int or not 1 <= self.patch <= MAX_PATCH:
            raise InputError(f"patch must be an integer in 1..{MAX_PATCH}, not {shortened(self.patch)}")
        if len(self.image) != 2 or any(type(s) is not int or s < 1 for s in self.image):
            raise InputError(
                f"image must be two positive integers (height, width), not {shortened(self.image)}"
            )
        for key, field in self.__dataclass_fields__.items():
            if field.type in ("bool", bool) and type(getattr(self, key)) is not bool:
                raise InputError(f"{key} must be true or false, not {shortened(getattr(self, key))}")
        if type(self.registers) is not int or self.registers < 0:
            raise InputError(f"registers must be an integer of at least 0, not {shortened(self.registers)}")
        if self.distilled and not self.class_token:
            raise InputError("class_token must be true where distilled is, not False")
        if self.normalization not in NORMALIZATIONS:
            raise InputError(
                f"normalization must be one of {tuple(NORMALIZATIONS)}, not {shortened(self.normalization)}"
            )

    def positive(self) -> list[str]:
        """Names of the numbers that must be at least 1."""
        return ["embed", "heads", "layers", "mlp_ratio"]

    def check_heads(self, key: str, heads: int) -> None:
        """Refuse a number of heads that does not divide the channels."""
        if self.embed % heads:
            raise InputError(
                f"embed must be a multiple of {key} ({shortened(heads)}), not {shortened(self.embed)}"
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
    def class_tokens(self) -> int:
        """Tokens that an output is read from: the class token and DeiT's second one."""
        return int(self.class_token) + int(self.distilled)

    @property
    def prefix(self) -> int:
        """Tokens before the patches: class tokens, then registers."""
        return self.class_tokens + self.registers

    @property
    def positions(self) -> int:
        """Rows of the position embedding: the patches' and, before them, the class tokens'."""
        return self.patches + (self.class_tokens if self.class_position else 0)

    @property
    def network(self) -> str:
        """Name of the network that these numbers describe."""
        raise NotImplementedError

    def integer(self) -> Self:
        """The same network as integers run it: every LayerScale is inside the weights before it."""
        return replace(self, layer_scale=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "image": list(self.image)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
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
