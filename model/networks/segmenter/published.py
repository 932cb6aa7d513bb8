"""The numbers of a published Segmenter, which its training writes as `variant.yml` beside the weights.

Source: github.com/rstrudel/segmenter, segm/model/factory.py and utils.py; segm/train.py writes the file.
Trainings with token merging write more into it: github.com/tue-mps/algm-segmenter, segm/train.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, refusing
from intarsia.model.messages import printable, shortened
from intarsia.model.networks.segmenter.config import SegmenterConfig

HEAD_DIM = 64
"""Channels of a published decoder's attention heads: it ignores `n_heads`, the encoder's number."""

REQUIRED = ("image_size", "patch_size", "d_model", "n_heads", "n_layers", "n_cls", "normalization")
"""Entries of `net_kwargs` that a Segmenter is made from, besides `decoder`."""

DECODERS = {"mask_transformer": "mask", "linear": "linear"}
"""Names of decoders, and what `SegmenterConfig` calls them."""

MERGING = re.compile(r"algm|tome|merg|prun|token_?(select|learn|drop|reduc)|keep_rate|selected_layers")
"""Names of entries of trainings in which tokens are merged, pruned or selected."""

PLAIN = (None, False, 0, "", "pure", "none")
"""Values of such entries, and of `patch_type`, by which nothing is merged; an empty list is one too."""

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


def variant_config(path: Path) -> SegmenterConfig:
    """The network that a published `variant.yml` describes.

    Refused by name: a file that is not YAML, missing entries, another decoder than the mask transformer
    and the linear one, a training with merged tokens, and numbers of which `SegmenterConfig` can make no
    network.
    """
    net, variant = _net_kwargs(path)
    for name, value in _entries(variant):
        if MERGING.search(name) or name.endswith("patch_type"):
            raise InputError(
                f"{path}: {name} must be absent, not {shortened(value)}: the network was trained with "
                "merged or selected tokens, which is not run"
            )
    decoder = net.get("decoder")
    if not isinstance(decoder, dict) or "name" not in decoder:
        raise InputError(f"{path}: net_kwargs must hold a decoder with a name, not {shortened(decoder)}")
    if not isinstance(decoder["name"], str) or decoder["name"] not in DECODERS:
        raise InputError(
            f"{path}: the decoder must be {' or '.join(DECODERS)}, not {shortened(decoder['name'])}"
        )
    linear = DECODERS[decoder["name"]] == "linear"
    missing = [key for key in REQUIRED if key not in net]
    missing += [] if linear or "n_layers" in decoder else ["decoder n_layers"]
    if missing:
        raise InputError(f"{path}: net_kwargs lacks {', '.join(missing)}")
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
            normalization=net["normalization"],
            distilled=bool(net.get("distilled")),
        )
        if linear:
            return replace(config, decoder="linear")
        heads = max(1, config.embed // HEAD_DIM)
        return replace(config, decoder_layers=decoder["n_layers"], decoder_heads=heads)
    except (InputError, TypeError) as error:
        raise InputError(f"{path}: net_kwargs describes no Segmenter: {error}") from None


def _entries(variant: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Entries of the file and of its parts, as part.name, without those of which nothing follows."""
    for part, values in {"": variant, **variant}.items():
        if not isinstance(values, dict):
            continue
        for name, value in values.items():
            if not isinstance(value, dict) and value not in PLAIN and value != []:
                yield (f"{part}.{name}" if part else str(name)), value


def _net_kwargs(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """`net_kwargs`, and the whole file."""
    with refusing(f"{path} cannot be read"):
        size = existing_file(path).stat().st_size
        if size > MAX_VARIANT:
            raise InputError(f"{path} must have at most {MAX_VARIANT} bytes, not {size}")
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
    return net, variant
