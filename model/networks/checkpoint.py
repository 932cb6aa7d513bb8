"""A checkpoint of any network: `model.checkpoints` finds what a path holds, here it becomes a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from intarsia.model.checkpoints.encoder import encoder_state
from intarsia.model.checkpoints.facts import Facts, facts_of, patch_of
from intarsia.model.checkpoints.load import Checkpoint, open_checkpoint
from intarsia.model.checkpoints.tensors import State, shape_of, some
from intarsia.model.errors import InputError
from intarsia.model.messages import shortened
from intarsia.model.networks import find
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.networks.modules import Model
from intarsia.model.networks.network import Network
from intarsia.model.networks.pixels import pixels_of
from intarsia.model.networks.segmenter import config as segmenter
from intarsia.model.networks.segmenter.around import UNUSED
from intarsia.model.networks.segmenter.checkpoint import segmenter_of

HEAD_WIDTH = 64
"""Channels of an attention head of all published ViTs: names and shapes of tensors do not tell it."""

POOLS = ("token", "avg")
"""Values of timm's global_pool that are run: the class token, and the mean of the patches."""


def load_model(
    path: Path,
    *,
    network: str | None = None,
    size: str | None = None,
    dataset: str | None = None,
    image: tuple[int, int] | None = None,
    normalization: str | None = None,
    heads: int | None = None,
    say: Callable[[str], None] | None = None,
) -> Model:
    """The FP32 network of a checkpoint, recognized by what the file holds.

    network: which it must be; default: a Segmenter where the file has one, or where `dataset` is one of
    Segmenter's, whose decoder then is random; a ViT where the file has a classifier; DINOv2 where it has
    LayerScale and none.
    heads: of the attention, where neither the files nor `size` tell.
    The others are those of `segmenter.checkpoint.load_checkpoint`.

    Raises InputError for all that a file can have wrong, and for a network that it does not hold.
    """
    found = open_checkpoint(Path(path))
    name = _network(found, network, dataset)
    if name.startswith("segmenter"):
        decoder = "linear" if name == "segmenter-linear" else "mask"
        model: Model = segmenter_of(found, size, dataset, image, normalization, decoder)
        if network not in (None, model.config.network):
            raise InputError(f"network must be {model.config.network} for {found.source}, not {network}")
    else:
        model = _vit(found, find(name), size, dataset, image, normalization, heads)
    if heads not in (None, model.config.heads):
        raise InputError(f"heads must be {model.config.heads} for {found.source}, not {shortened(heads)}")
    if say is not None and found.notes:
        say(f"{found.source}: {'; '.join(found.notes)}")
    return model


def _network(found: Checkpoint, wanted: str | None, dataset: str | None) -> str:
    """Name of the network that a checkpoint is taken for."""
    if found.layout is None or found.layout.network == "segmenter":
        if wanted is not None and not find(wanted).name.startswith("segmenter"):
            raise InputError(f"network must be segmenter for {found.source}, not {wanted}")
        return "segmenter"
    if wanted is not None:
        return find(wanted).name
    if dataset in segmenter.DATASETS:
        return "segmenter"
    if "head.weight" in found.state:
        return "vit"
    if "blocks.0.ls1.gamma" in found.state:
        return "dinov2"
    raise InputError(
        f"{found.source} holds a ViT encoder alone: size and dataset of a Segmenter, or a network, must be "
        "given too"
    )


def _vit(
    found: Checkpoint,
    network: Network,
    size: str | None,
    dataset: str | None,
    image: tuple[int, int] | None,
    normalization: str | None,
    heads: int | None,
) -> Model:
    """A network that is a ViT, with or without a classifier."""
    source = found.source
    unused = () if network.task == "classification" else UNUSED  # a classifier runs all that it has
    state = {key: value for key, value in found.state.items() if not key.startswith(unused)}
    if dropped := [key for key in found.state if key not in state]:
        found.notes.append(f"not used: {some(dropped)}")
    patch = patch_of(state, source)
    window = found.described.image or image or (patch, patch)
    facts = facts_of(state, (-(-window[0] // patch), -(-window[1] // patch)), source)
    if facts.layers > len(state):
        # Before any module is made: a damaged name must not cost hours.
        raise InputError(f"{source} describes {facts.layers} layers, but holds only {len(state)} tensors")
    try:
        count = _heads(found, facts.embed, network, size, heads)
        pixels = pixels_of(found, normalization, _usual(network))
        config = _config(found, facts, network, size, dataset, pixels, count)
        target = config if image is None else replace(config, image=image)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    return _filled(network, target, state, facts, found)


def _usual(network: Network) -> str | None:
    """The normalization of a network that is always trained with the same; ViT is not."""
    return None if network.name == "vit" else network.named(network.default_size).normalization


def _heads(found: Checkpoint, embed: int, network: Network, size: str | None, wanted: int | None) -> int:
    """Attention heads of a ViT with `embed` channels, which no state dict holds.

    As the files say, as wanted, as the size or the known sizes of that width have, else of HEAD_WIDTH
    channels, which is noted. Raises InputError where nothing tells.
    """
    named = network.named(size).heads if size is not None else None
    known = {shape["heads"] for shape in network.sizes.values() if shape["embed"] == embed}
    for heads in (found.described.heads, wanted, named, *known):
        if heads is not None:
            return int(heads)
    if embed % HEAD_WIDTH:
        raise InputError(f"heads must be given for {embed} channels: the file does not say it")
    found.notes.append(f"heads of {HEAD_WIDTH} channels, as published ViTs have")
    return embed // HEAD_WIDTH


def _config(
    found: Checkpoint,
    facts: Facts,
    network: Network,
    size: str | None,
    dataset: str | None,
    pixels: str,
    heads: int,
) -> EncoderConfig:
    """The numbers that the tensors prove, with pixels and heads, held against the size."""
    named = None if size is None else network.named(size)
    if facts.mlp_ratio is None:
        key = "blocks.0.mlp.fc1.weight"
        shape = shape_of(found.state.get(key)) or "none"
        raise InputError(f"{key} must have a multiple of embed ({facts.embed}) as its rows, not {shape}")
    numbers: dict[str, Any] = {
        "embed": facts.embed,
        "heads": heads,
        "layers": facts.layers,
        "image": facts.image,
        "patch": facts.patch,
        "mlp_ratio": facts.mlp_ratio,
        "normalization": pixels,
        "layer_scale": False,
        **facts.encoder,
    }
    if network.task == "classification":
        numbers |= _classifier(found, facts, network, dataset)
    elif dataset is not None:
        network.named(network.default_size, dataset)  # refuses it
    config = network.config(**numbers)
    if named is not None:
        seen, asked = ((c.embed, c.heads, c.layers) for c in (config, named))
        if seen != asked:
            words = "embed {}, heads {}, layers {}".format
            raise InputError(f"size {size} must have {words(*asked)}, not {words(*seen)}")
    return config


def _classifier(found: Checkpoint, facts: Facts, network: Network, dataset: str | None) -> dict[str, Any]:
    if facts.classes is None:
        raise InputError(f"{network.name} must have a classifier head.weight [classes, embed], not none")
    known = {values["classes"]: name for name, values in network.datasets.items()}
    if dataset is not None:
        wanted = network.named(network.default_size, dataset)
        if known.get(facts.classes) != dataset:
            classes = getattr(wanted, "classes", None)
            raise InputError(f"classes must be {classes} for dataset {dataset}, not {facts.classes}")
    pool = found.described.pool
    if pool not in (None, *POOLS):
        raise InputError(f"global_pool must be {' or '.join(POOLS)}, not {shortened(pool)}")
    # Where nothing says it: timm's fc_norm stands after the mean of the patches; without it the class token
    # is what is classified.
    mean = pool == "avg" if pool is not None else facts.pool_norm or not facts.class_token
    if mean:
        found.notes.append("the classifier sees the mean of the patches")
    return {
        "classes": facts.classes,
        "dataset": known.get(facts.classes),
        "pool": "mean" if mean else "token",
        "pool_norm": facts.pool_norm,
    }


def _filled(
    network: Network, config: EncoderConfig, state: State, facts: Facts, found: Checkpoint
) -> Model:
    """The network of `config`, made without memory or time for random weights, with these tensors."""
    try:
        with torch.device("meta"):
            model = network.make(config)
    except (RuntimeError, TypeError, OverflowError):
        raise InputError(f"{found.source} describes a network too large to build: {config}") from None
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    tensors = encoder_state(state, facts, wanted, config.grid, found.source, found.notes)
    model = model.to_empty(device="cpu")
    model.load_state_dict(tensors)
    return model
