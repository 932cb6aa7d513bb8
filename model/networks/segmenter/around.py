"""A Segmenter around a ViT: the encoder from a checkpoint, the decoder as a seed initializes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from intarsia.model.checkpoints.encoder import encoder_state
from intarsia.model.checkpoints.facts import facts_of, patch_of
from intarsia.model.checkpoints.load import Checkpoint
from intarsia.model.checkpoints.positions import Grid
from intarsia.model.checkpoints.tensors import State
from intarsia.model.errors import InputError
from intarsia.model.networks.pixels import pixels_of
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.networks.segmenter.segmenter import Segmenter

SEED = 0
"""Seed of the decoder that an encoder's checkpoint is completed with."""

UNUSED = ("head.", "head_dist.", "pre_logits.")
"""A ViT's classifier, which segmentation never runs."""


def around_encoder(
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
    fill_encoder(model, found)
    return model


def fill_encoder(model: Segmenter, found: Checkpoint) -> None:
    """Replace the weights of the encoder; raises InputError, and then leaves them as they were."""
    state = _encoder(found)
    wanted = {key: tuple(value.shape) for key, value in model.encoder.state_dict().items()}
    grid = model.config.grid
    facts = facts_of(state, _grid_beside(found, grid), found.source)
    model.encoder.load_state_dict(encoder_state(state, facts, wanted, grid, found.source, found.notes))


def _encoder(found: Checkpoint) -> State:
    """A ViT's state without its classifier."""
    return {key: value for key, value in found.state.items() if not key.startswith(UNUSED)}


def _grid_beside(found: Checkpoint, otherwise: Grid) -> Grid:
    """The grid of the image that the files beside the weights say."""
    image, patch = found.described.image, patch_of(found.state, found.source)
    return otherwise if image is None else (image[0] // patch, image[1] // patch)
