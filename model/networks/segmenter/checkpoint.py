"""FP32 checkpoints: our own safetensors file, written and read; the files of others, read.

Nothing in a file is ever executed: pickles are read with `weights_only`. Every tensor is checked
by name, shape, type and value before the model sees it.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, refusing, replacing
from intarsia.model.messages import printable
from intarsia.model.networks.segmenter import published
from intarsia.model.networks.segmenter.config import DATASETS, SIZES, SegmenterConfig
from intarsia.model.networks.segmenter.pickles import check_pickle
from intarsia.model.networks.segmenter.segmenter import Segmenter
from intarsia.model.tensorfile import check_header

METADATA = "intarsia"
"""Metadata entry of our safetensors files: JSON with `segmenter` (the numbers) and `notes`."""

SEED = 0
"""Seed of the decoder that an encoder's checkpoint is completed with."""

LISTED = 8
"""Names that a message lists before it only counts."""

MAX_NAME, MAX_LINE = 120, 300
"""Characters of a name, and of another program's error, that a message shows."""

POSITION = "encoder.pos_embed"


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
) -> Segmenter:
    """The Segmenter of a checkpoint, in FP32, recognised by what the file holds.

    path: our safetensors file; a published `checkpoint.pth` (or its folder) with `variant.yml`
    beside it; or a timm ViT state dict, which needs `size` and `dataset`: the encoder is
    loaded, the decoder stays as seed 0 initialises it. A ViT of another normalization than
    "vit" goes through `load_encoder`, its file does not tell.
    size, dataset: what the checkpoint must be of; the window is the file's own.
    image: (height, width) of the window; the position embedding is resized to it.

    Raises InputError for all that a file can have wrong; unknown, missing and misshapen
    tensors are listed by name.
    """
    file = Path(path)
    with refusing(f"{file} cannot be read"):
        if file.is_dir():
            file = file / "checkpoint.pth"
    tensors, about = _read(file)
    kind = "segmenter" if about is not None else published.layout(tensors)
    if kind == "vit":
        return _around_encoder(tensors, file, size, dataset, image)
    if about is not None:
        config = _described(about, file)
    elif kind == "segmenter":
        config = _beside(file)
        tensors = published.segmenter_tensors(tensors, file)
    else:
        names = _some([str(key) for key in tensors]) or "none"
        raise InputError(f"{file} holds neither a Segmenter nor a timm ViT: its keys are {names}")
    _agree(config, file, size, dataset)
    if dataset is None and about is None:
        # A published file does not name its dataset; the number of classes tells.
        dataset = {values["classes"]: name for name, values in DATASETS.items()}.get(config.classes)
    config = replace(config, dataset=dataset or config.dataset)
    return _assembled(config, tensors, file, image)


def load_encoder(model: Segmenter, path: Path) -> None:
    """Replace the encoder's weights by those of a timm ViT state dict; the decoder stays.

    The file may nest the state under `model` or `state_dict`. The position embedding is resized
    to the model's grid. Raises InputError, and then leaves the model as it was.
    """
    tensors, about = _read(Path(path))
    if about is not None or published.layout(tensors) == "segmenter":
        raise InputError(f"{path} holds a whole Segmenter, an encoder alone is wanted")
    _fill_encoder(model, tensors, Path(path))


def _around_encoder(
    tensors: Mapping[str, object],
    source: Path,
    size: str | None,
    dataset: str | None,
    image: tuple[int, int] | None,
) -> Segmenter:
    if size is None or dataset is None:
        raise InputError(f"{source} holds a ViT encoder alone: size and dataset must be given too")
    changes: dict[str, Any] = {} if image is None else {"image": image}
    config = SegmenterConfig.named(size, dataset, patch=published.vit_patch(tensors, source), **changes)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        model = Segmenter(config)
    _fill_encoder(model, tensors, source)
    return model


def _fill_encoder(model: Segmenter, tensors: Mapping[str, object], source: Path) -> None:
    tensors = published.vit_tensors(tensors, source)
    wanted = {key: tuple(value.shape) for key, value in model.encoder.state_dict().items()}
    position, grid = tensors.get("pos_embed"), model.config.grid
    if isinstance(position, Tensor) and position.ndim == 3:
        grid = published.vit_grid(position.shape[1], model.config.grid, source)
        wanted["pos_embed"] = (1, position.shape[1], model.config.embed)
    state = _fitting(tensors, wanted, source)
    state["pos_embed"] = published.resize_position(state["pos_embed"], grid, model.config.grid)
    model.encoder.load_state_dict(state)


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
    state = _fitting(tensors, shapes, source)
    if image is not None:
        target = replace(config, image=image)
        state[POSITION] = published.resize_position(state[POSITION], config.grid, target.grid)
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


def _read(path: Path) -> tuple[Mapping[str, object], str | None]:
    """State dict of a file and, where the file is ours, its metadata entry."""
    path = existing_file(path)
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file is the header's length in 8 bytes, then the header in JSON.
    if path.suffix == ".safetensors" or start[8:] == b"{":
        return _read_safetensors(path)
    return _read_pickle(path), None


def _read_safetensors(path: Path) -> tuple[Mapping[str, object], str | None]:
    with refusing(f"{path} cannot be read"):
        check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            about = (file.metadata() or {}).get(METADATA)
            return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118
    except Exception as error:
        # The library's own exception, a missing type and a short file all fail in their own way.
        raise InputError(f"{path} is not a whole safetensors file: {_line(error)}") from None


def read_pickle(path: Path, kind: str) -> Any:
    """Tensors and plain values that torch.save wrote; what is not is refused as not `kind`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols; what matters is refused
            check_pickle(existing_file(path))
            return torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:
        # A damaged zip, a foreign pickle and an empty file all fail in their own way.
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign:
            raise InputError(
                f"{path} holds a Python object ({foreign[1]}) beside tensors and plain values; "
                "such are never loaded: save the state dict alone"
            ) from None
        # torch advises to load what is no pickle without its safeguard.
        reason = "" if "weights_only" in str(error) else f": {_line(error)}"
        raise InputError(f"{path} is not {kind}{reason}") from None


def _read_pickle(path: Path) -> Mapping[str, object]:
    data = read_pickle(path, "a whole PyTorch checkpoint")
    if isinstance(data, Mapping):
        for key in ("model", "state_dict"):
            if isinstance(data.get(key), Mapping):
                data = data[key]
                break
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise InputError(f"{path} must hold a state dict (names to tensors), not a {type(data).__name__}")
    return data


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
    variant = source.parent / "variant.yml"
    with refusing(f"{variant} cannot be read"):
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
) -> None:
    """Refuse a checkpoint of another size or dataset than the one asked for."""
    wanted = SegmenterConfig.named(size or next(iter(SIZES)), dataset or next(iter(DATASETS)))
    numbers = [(c.embed, c.heads, c.layers) for c in (config, wanted)]
    if size is not None and numbers[0] != numbers[1]:
        found, asked = ("embed {}, heads {}, layers {}".format(*n) for n in numbers)
        raise InputError(f"{source} has {found}; size {size} has {asked}")
    if dataset is not None and config.classes != wanted.classes:
        raise InputError(f"{source} has {config.classes} classes; dataset {dataset} has {wanted.classes}")


def _fitting(
    tensors: Mapping[str, object], wanted: Mapping[str, Sequence[int]], source: Path
) -> dict[str, Tensor]:
    """All `wanted` tensors in FP32; what does not fit is refused, listed by name."""
    shapes = {key: list(getattr(value, "shape", ())) for key, value in tensors.items()}
    problems = {
        "unknown": [key for key in tensors if key not in wanted],
        "missing": [key for key in wanted if key not in tensors],
        "misshapen": [
            f"{key} {shapes[key]} instead of {list(shape)}"
            for key, shape in wanted.items()
            if isinstance(tensors.get(key), Tensor) and shapes[key] != list(shape)
        ],
    }
    found = [f"{kind}: {_some(names)}" for kind, names in problems.items() if names]
    if found:
        raise InputError(f"{source} does not fit the model; {'; '.join(found)}")
    # A view can have more elements than there are numbers behind it.
    shown = [tensors[key] for key in wanted]
    asked = sum(value.numel() * value.element_size() for value in shown if isinstance(value, Tensor))
    size = source.stat().st_size
    if asked > size:
        raise InputError(f"{source} describes tensors of {asked} bytes, but has {size}")
    return {key: _checked(key, tensors[key], source) for key in wanted}


def _checked(key: str, value: object, source: Path) -> Tensor:
    """A dense tensor of finite numbers, as FP32."""
    if not isinstance(value, Tensor):
        raise InputError(f"{source}: {key} must be a tensor, not a {type(value).__name__}")
    dense = value.layout == torch.strided and value.device.type == "cpu"
    if not (dense and value.is_floating_point()):
        raise InputError(
            f"{source}: {key} must be a dense floating-point tensor, not {value.dtype} "
            f"({value.layout}, {value.device})"
        )
    tensor = value.detach().to(torch.float32)
    if not bool(tensor.isfinite().all()):
        raise InputError(f"{source}: {key} holds NaN or infinity")
    return tensor


def _some(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(printable(name[:MAX_NAME]) for name in names[:LISTED]) + (
        f" and {rest} more" if rest > 0 else ""
    )


def _line(error: Exception) -> str:
    """The first line of an error, or its name where it says nothing."""
    return printable((str(error).splitlines() or [""])[0][:MAX_LINE]) or type(error).__name__
