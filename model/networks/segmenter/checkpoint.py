"""FP32 checkpoints of Segmenter: our own safetensors file, written and read; the files of others, read.

What a path holds is found by `intarsia.model.checkpoints`; here it becomes a network.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from intarsia.model.checkpoints.load import METADATA, Checkpoint, open_checkpoint
from intarsia.model.errors import InputError
from intarsia.model.files import replacing
from intarsia.model.networks.segmenter.around import around_encoder, fill_encoder
from intarsia.model.networks.segmenter.segmenter import Segmenter
from intarsia.model.networks.segmenter.whole import whole_segmenter


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
        return around_encoder(found, size, dataset, image, normalization, decoder)
    return whole_segmenter(found, size, dataset, image, normalization)


def load_encoder(model: Segmenter, path: Path) -> None:
    """Replace the encoder's weights by those of a ViT's state dict; the decoder stays.

    The position embedding is resized to the model's grid. Raises InputError, and then leaves the model as
    it was.
    """
    found = open_checkpoint(Path(path))
    if found.layout is None or found.layout.network == "segmenter":
        raise InputError(f"{path} must hold an encoder alone, not a whole Segmenter")
    fill_encoder(model, found)
