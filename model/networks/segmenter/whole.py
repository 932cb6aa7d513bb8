"""A Segmenter whose checkpoint has encoder and decoder: its numbers, from metadata, a file beside it or the
tensors, then the tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from intarsia.model.checkpoints.facts import facts_of, layers_of, patch_of
from intarsia.model.checkpoints.load import METADATA, Checkpoint
from intarsia.model.checkpoints.positions import resize_position
from intarsia.model.checkpoints.tensors import State, fitting, shape_of
from intarsia.model.errors import InputError
from intarsia.model.files import refusing
from intarsia.model.networks.pixels import pixels_of
from intarsia.model.networks.segmenter import published
from intarsia.model.networks.segmenter.around import UNUSED
from intarsia.model.networks.segmenter.config import DATASETS, SIZES, SegmenterConfig
from intarsia.model.networks.segmenter.segmenter import Segmenter

POSITION = "encoder.pos_embed"


def whole_segmenter(
    found: Checkpoint,
    size: str | None,
    dataset: str | None,
    image: tuple[int, int] | None,
    normalization: str | None,
) -> Segmenter:
    """A Segmenter whose file has encoder and decoder."""
    tensors, source = found.state, found.source
    if found.about is not None:
        config = _described(found.about, source)
    elif found.layout is not None and found.layout.head_width is not None:
        config = _proven(found, found.layout.head_width, dataset, image, normalization)
    else:
        config = _beside(source)
        unused = tuple(f"encoder.{name}" for name in UNUSED)
        tensors = {key: value for key, value in tensors.items() if not key.startswith(unused)}
    _agree(config, source, size, dataset, normalization)
    if dataset is None and found.about is None:
        # A published file does not name its dataset; the number of classes tells.
        dataset = {values["classes"]: name for name, values in DATASETS.items()}.get(config.classes)
    config = replace(config, dataset=dataset or config.dataset)
    return _assembled(config, tensors, source, image)


def _described(about: str, source: Path) -> SegmenterConfig:
    """The numbers in our own metadata."""
    try:
        description = json.loads(about)["segmenter"]
        return SegmenterConfig.from_dict(dict(description))
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            f"{source}: its metadata {METADATA} must be JSON with an entry segmenter, not {about[:60]!r}"
        ) from None


def _proven(
    found: Checkpoint,
    head_width: int,
    dataset: str | None,
    image: tuple[int, int] | None,
    normalization: str | None,
) -> SegmenterConfig:
    """The numbers of a Segmenter that its tensors prove, with attention heads of `head_width` channels."""
    encoder: State = {k[8:]: value for k, value in found.state.items() if k.startswith("encoder.")}
    classes = shape_of(found.state.get("decoder.cls_emb"))
    linear = shape_of(found.state.get("decoder.head.weight"))
    decoder: dict[str, Any]
    if len(classes) == 3:
        decoder = {"classes": classes[1], "decoder_layers": layers_of(found.state, "decoder.")}
    elif len(linear) == 2:
        decoder = {"classes": linear[0], "decoder": "linear"}
    else:
        raise InputError(
            f"{found.source} must hold decoder.cls_emb [1, classes, embed] or decoder.head.weight "
            f"[classes, embed], not {classes or linear}"
        )
    patch = patch_of(encoder, found.source)
    window = image or DATASETS[dataset or "ade20k"]["image"]
    facts = facts_of(encoder, (-(-window[0] // patch), -(-window[1] // patch)), found.source)
    heads = max(1, facts.embed // head_width)
    found.notes.append(f"heads of {facts.embed // heads} channels, as all of this layout have")
    try:
        return SegmenterConfig(
            embed=facts.embed,
            heads=heads,
            layers=facts.layers,
            image=facts.image,
            patch=patch,
            normalization=pixels_of(found, normalization),
            **decoder,
        )
    except InputError as error:
        raise InputError(f"{found.source}: {error}") from None


def _beside(source: Path) -> SegmenterConfig:
    with refusing(f"{source.parent} cannot be read"):
        variant = source.parent / "variant.yml"
        if not variant.exists() and (other := variant.with_suffix(".yaml")).exists():
            variant = other
        if not variant.exists():
            raise InputError(
                f"{source} holds a published Segmenter, but {variant} does not exist beside it"
            )
    return published.variant_config(variant)


def _agree(
    config: SegmenterConfig,
    source: Path,
    size: str | None,
    dataset: str | None,
    normalization: str | None,
) -> None:
    """Refuse a checkpoint of another size, dataset or normalization than the one asked for."""
    if normalization not in (None, config.normalization):
        raise InputError(f"normalization must be {config.normalization} for {source}, not {normalization}")
    wanted = SegmenterConfig.named(size or next(iter(SIZES)), dataset or next(iter(DATASETS)))
    numbers = [(c.embed, c.heads, c.layers) for c in (config, wanted)]
    if size is not None and numbers[0] != numbers[1]:
        found, asked = ("embed {}, heads {}, layers {}".format(*n) for n in numbers)
        raise InputError(f"{source} must have {asked} to be of size {size}, not {found}")
    if dataset is not None and config.classes != wanted.classes:
        raise InputError(
            f"{source} must have {wanted.classes} classes to be of dataset {dataset}, not {config.classes}"
        )


def _assembled(
    config: SegmenterConfig,
    tensors: Mapping[str, object],
    source: Path,
    image: tuple[int, int] | None,
) -> Segmenter:
    """The Segmenter of `config` with these tensors, then for the window `image`."""
    if config.layers + config.decoder_layers > len(tensors):
        # Before any module is made: a damaged description must not cost hours.
        raise InputError(
            f"{source} describes {config.layers} + {config.decoder_layers} layers, "
            f"but holds only {len(tensors)} tensors"
        )
    shapes = {key: tuple(value.shape) for key, value in _outline(config, source).state_dict().items()}
    state = fitting(tensors, shapes, source)
    if image is not None:
        target = replace(config, image=image)
        state[POSITION] = resize_position(state[POSITION], config.grid, target.grid)
        config = target
    model = _outline(config, source).to_empty(device="cpu")
    model.load_state_dict(state)
    return model


def _outline(config: SegmenterConfig, source: Path) -> Segmenter:
    """The network without memory: shapes alone, and no time for an initialisation."""
    try:
        with torch.device("meta"):
            return Segmenter(config)
    except (RuntimeError, TypeError, OverflowError):
        raise InputError(f"{source} describes a Segmenter too large to build: {config}") from None
