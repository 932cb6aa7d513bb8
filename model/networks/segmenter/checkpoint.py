"""FP32 checkpoints of Segmenter: our own safetensors file, written and read; the files of others, read.

What a path holds is found by `intarsia.model.checkpoints`; here it becomes a network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from intarsia.model.checkpoints.encoder import encoder_state
from intarsia.model.checkpoints.facts import facts_of, layers_of, patch_of
from intarsia.model.checkpoints.load import METADATA, Checkpoint, open_checkpoint
from intarsia.model.checkpoints.positions import Grid, resize_position
from intarsia.model.checkpoints.tensors import State, fitting, shape_of
from intarsia.model.errors import InputError
from intarsia.model.files import refusing, replacing
from intarsia.model.messages import shortened
from intarsia.model.networks.segmenter import published
from intarsia.model.networks.segmenter.config import DATASETS, NORMALIZATIONS, SIZES, SegmenterConfig
from intarsia.model.networks.segmenter.segmenter import Segmenter

SEED = 0
"""Seed of the decoder that an encoder's checkpoint is completed with."""

POSITION = "encoder.pos_embed"

UNUSED = ("head.", "head_dist.", "pre_logits.")
"""A ViT's classifier, which segmentation never runs."""


def save_checkpoint(model: Segmenter, path: Path, notes: dict[str, Any] | None = None) -> None:
    """Write weights and description as one safetensors file."""
    about = {"segmenter": model.config.to_dict(), "notes": notes or {}}
    tensors = {key: value.detach().contiguous() for key, value in model.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={METADATA: json.dumps(about)})


def load_checkpoint(
    path: Path,
    *,
    size: str | None = None,
    dataset: str | None = None,
    image: tuple[int, int] | None = None,
    normalization: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Segmenter:
    """The Segmenter of a checkpoint, in FP32, recognized by what the file holds.

    path: our safetensors file; a published `checkpoint.pth` (or its folder) with `variant.yml` beside it;
    mmsegmentation's; or a ViT in one of the known layouts, which needs `size` and `dataset`: the encoder is
    loaded, the decoder stays as seed 0 initializes it.
    size, dataset: what the checkpoint must be of; the window is the file's own.
    image: (height, width) of the window; the position embedding is resized to it.
    normalization: of the pixels, for files that do not say it; a name of NORMALIZATIONS.
    say: takes a line for people: what of the file was taken, dropped and supposed.

    Raises InputError for all that a file can have wrong; unknown, missing and misshapen
    tensors are listed by name.
    """
    found = open_checkpoint(Path(path))
    model = segmenter_of(found, size, dataset, image, normalization)
    if say is not None and found.notes:
        say(f"{found.source}: {'; '.join(found.notes)}")
    return model


def segmenter_of(
    found: Checkpoint,
    size: str | None,
    dataset: str | None,
    image: tuple[int, int] | None,
    normalization: str | None,
    decoder: str = "mask",
) -> Segmenter:
    """The Segmenter of what a path holds, see `load_checkpoint`; decoder: the one that an encoder gets."""
    if found.layout is not None and found.layout.network == "vit":
        return _around_encoder(found, size, dataset, image, normalization, decoder)
    return _whole(found, size, dataset, image, normalization)


def load_encoder(model: Segmenter, path: Path) -> None:
    """Replace the encoder's weights by those of a ViT's state dict; the decoder stays.

    The position embedding is resized to the model's grid. Raises InputError, and then leaves the model as
    it was.
    """
    found = open_checkpoint(Path(path))
    if found.layout is None or found.layout.network == "segmenter":
        raise InputError(f"{path} must hold an encoder alone, not a whole Segmenter")
    _fill_encoder(model, found)


def _whole(
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


def _around_encoder(
    found: Checkpoint,
    size: str | None,
    dataset: str | None,
    image: tuple[int, int] | None,
    normalization: str | None,
    decoder: str,
) -> Segmenter:
    """A Segmenter of a ViT and a decoder of random weights."""
    if size is None or dataset is None:
        raise InputError(f"{found.source} holds a ViT encoder alone: size and dataset must be given too")
    changes: dict[str, Any] = {} if image is None else {"image": image}
    state, patch = _encoder(found), patch_of(found.state, found.source)
    try:
        wanted = SegmenterConfig.named(size, dataset, patch=patch, decoder=decoder, **changes)
        facts = facts_of(state, _grid_beside(found, wanted.grid), found.source)
        config = replace(
            wanted,
            normalization=pixels_of(found, normalization),
            **facts.encoder,
        )
    except InputError as error:
        raise InputError(f"{found.source}: {error}") from None
    if found.described.heads not in (None, config.heads):
        raise InputError(
            f"heads of size {size} must be {found.described.heads} as config.json says, not {config.heads}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        model = Segmenter(config)
    _fill_encoder(model, found)
    return model


def pixels_of(found: Checkpoint, wanted: str | None, usual: str | None = None) -> str:
    """Normalization of the pixels: as wanted, as the files say or prove, or as `usual` for the network.

    Where nothing tells it is "vit"; whatever was not wanted by name is said.
    """
    if wanted is not None:
        if wanted not in NORMALIZATIONS:
            known = ", ".join(NORMALIZATIONS)
            raise InputError(f"normalization must be one of {known}, not {shortened(wanted)}")
        return wanted
    described = found.described
    if described.normalization is not None:
        found.notes.append(f"normalization {described.normalization} as {described.said_by}")
        return described.normalization
    if usual is not None:
        found.notes.append(f"normalization {usual} as this network has it")
        return usual
    others = " or ".join(name for name in NORMALIZATIONS if name != "vit")
    found.notes.append(
        f"normalization vit was supposed, the file does not say it; {others} must be asked for"
    )
    return "vit"


def _encoder(found: Checkpoint) -> State:
    """A ViT's state without its classifier."""
    return {key: value for key, value in found.state.items() if not key.startswith(UNUSED)}


def _fill_encoder(model: Segmenter, found: Checkpoint) -> None:
    state = _encoder(found)
    wanted = {key: tuple(value.shape) for key, value in model.encoder.state_dict().items()}
    grid = model.config.grid
    facts = facts_of(state, _grid_beside(found, grid), found.source)
    model.encoder.load_state_dict(encoder_state(state, facts, wanted, grid, found.source, found.notes))


def _grid_beside(found: Checkpoint, otherwise: Grid) -> Grid:
    """The grid of the image that the files beside the weights say."""
    image, patch = found.described.image, patch_of(found.state, found.source)
    return otherwise if image is None else (image[0] // patch, image[1] // patch)


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
        raise InputError(f"{source} has normalization {config.normalization}, not {normalization}")
    wanted = SegmenterConfig.named(size or next(iter(SIZES)), dataset or next(iter(DATASETS)))
    numbers = [(c.embed, c.heads, c.layers) for c in (config, wanted)]
    if size is not None and numbers[0] != numbers[1]:
        found, asked = ("embed {}, heads {}, layers {}".format(*n) for n in numbers)
        raise InputError(f"{source} has {found}; size {size} has {asked}")
    if dataset is not None and config.classes != wanted.classes:
        raise InputError(f"{source} has {config.classes} classes; dataset {dataset} has {wanted.classes}")
