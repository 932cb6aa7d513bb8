"""Checkpoint layouts of others: the published Segmenter repository and plain timm ViTs.

Both name a block's tensors as we do, so reading them means: find the numbers of the network,
drop the classifier that segmentation never runs, and refuse what is another network.

Sources: github.com/rstrudel/segmenter (segm/model/factory.py, vit.py, decoder.py, utils.py;
segm/train.py writes variant.yml) and timm's vision_transformer.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
import yaml  # type: ignore[import-untyped, unused-ignore]
from torch import Tensor

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, refusing
from intarsia.model.messages import printable, shortened
from intarsia.model.networks.config import MAX_PATCH
from intarsia.model.networks.segmenter.config import SegmenterConfig

HEAD_DIM = 64
"""Channels of a published decoder's attention heads: it ignores `n_heads`, the encoder's number."""

REQUIRED = ("image_size", "patch_size", "d_model", "n_heads", "n_layers", "n_cls", "normalization")
"""Entries of `net_kwargs` that a Segmenter is made from, besides `decoder`."""


MAX_VARIANT = 2**16
"""Bytes of a `variant.yml`; published ones have 2,000."""


class _VariantLoader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """Safe YAML and one tag more: training dumped image_size as a Python tuple.

    Without merges (`<<`), of which a few lines make any number of entries.
    """

    def flatten_mapping(self, node: Any) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("merges (<<) are not read")


def _tuple(loader: Any, node: Any) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node))


_VariantLoader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


def layout(tensors: Mapping[str, object]) -> Literal["segmenter", "vit"] | None:
    """Which network the keys belong to: a whole Segmenter, a ViT encoder, or neither (None)."""
    if any(key.startswith(("encoder.", "decoder.")) for key in tensors):
        return "segmenter"
    if any(key.startswith(("cls_token", "pos_embed", "patch_embed.", "blocks.")) for key in tensors):
        return "vit"
    return None


def variant_config(path: Path) -> SegmenterConfig:
    """The network that a published `variant.yml` describes.

    Refused by name: a file that is not YAML, missing entries, a distilled encoder (it has a
    second extra token), another decoder than the mask transformer, and numbers of which
    `SegmenterConfig` can make no network.
    """
    net = _net_kwargs(path)
    decoder = net.get("decoder")
    if not isinstance(decoder, dict) or "name" not in decoder:
        raise InputError(f"{path}: net_kwargs must hold a decoder with a name, not {shortened(decoder)}")
    if decoder["name"] != "mask_transformer":
        raise InputError(f"{path}: the decoder must be mask_transformer, not {shortened(decoder['name'])}")
    missing = [key for key in REQUIRED if key not in net]
    missing += [] if "n_layers" in decoder else ["decoder n_layers"]
    if missing:
        raise InputError(f"{path}: net_kwargs lacks {', '.join(missing)}")
    if net.get("distilled"):
        raise InputError(f"{path}: distilled encoders are not supported: they have a dist_token")
    size = net["image_size"]
    if not isinstance(size, list | tuple) or [type(s) is int and s > 0 for s in size] != [True, True]:
        raise InputError(
            f"{path}: image_size must be two positive integers (height, width), not {shortened(size)}"
        )
    try:
        config = SegmenterConfig(
            embed=net["d_model"],
            heads=net["n_heads"],
            layers=net["n_layers"],
            image=(size[0], size[1]),
            classes=net["n_cls"],
            patch=net["patch_size"],
            decoder_layers=decoder["n_layers"],
            normalization=net["normalization"],
        )
        return replace(config, decoder_heads=max(1, config.embed // HEAD_DIM))
    except (InputError, TypeError) as error:
        raise InputError(f"{path}: net_kwargs describes no Segmenter: {error}") from None


def _net_kwargs(path: Path) -> dict[str, Any]:
    with refusing(f"{path} cannot be read"):
        size = existing_file(path).stat().st_size
        if size > MAX_VARIANT:
            raise InputError(f"{path} has {size} bytes, at most {MAX_VARIANT} are wanted")
        text = path.read_bytes()
    try:
        variant = yaml.load(text, Loader=_VariantLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is not plain YAML: {printable(' '.join(str(error).split())[:300])}"
        ) from None
    net = variant.get("net_kwargs") if isinstance(variant, dict) else None
    if not isinstance(net, dict):
        raise InputError(f"{path} must hold an entry net_kwargs with the network's numbers")
    return net


def segmenter_tensors(tensors: Mapping[str, object], source: Path) -> dict[str, object]:
    """A published Segmenter's state without `encoder.head`, the classifier it never runs."""
    _refuse_distilled(tensors, ("encoder.dist_token", "encoder.head_dist."), source)
    return {key: value for key, value in tensors.items() if not key.startswith("encoder.head.")}


def vit_tensors(tensors: Mapping[str, object], source: Path) -> dict[str, object]:
    """A timm ViT's state without the classifier (`head`) and the layer before it (`pre_logits`)."""
    _refuse_distilled(tensors, ("dist_token", "head_dist."), source)
    unused = ("head.", "pre_logits.")
    return {key: value for key, value in tensors.items() if not key.startswith(unused)}


def _refuse_distilled(tensors: Mapping[str, object], keys: tuple[str, ...], source: Path) -> None:
    found = [key for key in tensors if key.startswith(keys)]
    if found:
        raise InputError(
            f"{source}: distilled encoders are not supported: they have a second extra token "
            f"({', '.join(found)})"
        )


def vit_patch(tensors: Mapping[str, object], source: Path) -> int:
    """Patch size of a ViT, from its patch embedding's kernel [embed, 3, patch, patch]."""
    kernel = tensors.get("patch_embed.proj.weight")
    if not isinstance(kernel, Tensor) or kernel.ndim != 4:
        raise InputError(f"{source}: patch_embed.proj.weight must be a tensor [embed, 3, patch, patch]")
    height, width = kernel.shape[2:]
    if height != width or not 1 <= height <= MAX_PATCH:
        raise InputError(
            f"{source}: patches must be square with a side in 1..{MAX_PATCH}, not {height} x {width}"
        )
    return int(height)


def vit_grid(tokens: int, wanted: tuple[int, int], source: Path) -> tuple[int, int]:
    """Grid of a ViT's position embedding of `tokens` tokens, the class token among them.

    A ViT's file does not tell the grid. It is square as in all published ones; where the number
    of patches is no square it must be that of the `wanted` grid.
    """
    patches = tokens - 1
    side = isqrt(max(patches, 0))
    if patches > 0 and side * side == patches:
        return side, side
    if patches == wanted[0] * wanted[1]:
        return wanted
    raise InputError(
        f"{source}: pos_embed must hold a class token and a square of patches or "
        f"{wanted[0]} x {wanted[1]} of them, not {tokens} tokens"
    )


def resize_position(position: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Position embedding [1, 1 + patches, embed] for another grid, as published.

    The class token's embedding is kept; the others, `old` = (rows, columns) of them row by row,
    are resized bilinearly to `new`. The published code resizes only where the number of patches
    differs; here a grid of the same number and another shape is resized as well.
    """
    if old == new:
        return position
    extra, patches = position[:, :1], position[:, 1:]
    grid = patches.transpose(1, 2).reshape(1, -1, *old)
    grid = F.interpolate(grid, size=new, mode="bilinear", align_corners=False)
    return torch.cat([extra, grid.flatten(2).transpose(1, 2)], dim=1)
