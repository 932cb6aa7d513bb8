"""The way in: a path to a state dict of known names, with what is known of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from intarsia.model.checkpoints.described import Described, described_in, normalization_of
from intarsia.model.checkpoints.layouts import layouts, recognized
from intarsia.model.checkpoints.layouts.layout import Layout
from intarsia.model.checkpoints.nesting import find_state
from intarsia.model.checkpoints.places import INDEX, weights_in
from intarsia.model.checkpoints.prefixes import bare
from intarsia.model.checkpoints.reader import read_file
from intarsia.model.checkpoints.shards import read_shards
from intarsia.model.checkpoints.tensors import State, check_size, some
from intarsia.model.errors import InputError

METADATA = "intarsia"
"""Metadata entry of our safetensors files: JSON with a network's numbers and `notes`."""

_ARTIFACT = re.compile(r'\s*\{\s*"graph"\s*:')
"""How the JSON of an integer artifact (`model.integer.artifact`) begins."""


@dataclass
class Checkpoint:
    """What a path holds.

    source: the file, for messages;  state: names to tensors, of timm or of the published Segmenter
    about: our own metadata, where the file is ours; then `layout` is None
    described: what the files beside it say;  notes: for people, what was taken and dropped
    """

    source: Path
    state: State
    layout: Layout | None = None
    about: str | None = None
    described: Described = field(default_factory=Described)
    notes: list[str] = field(default_factory=list)


def open_checkpoint(path: Path) -> Checkpoint:
    """The state dict of a file, a folder, or an index of shards, by the names of here.

    Raises InputError for all that a file can have wrong, and for a network of no known layout.
    """
    file = weights_in(Path(path))
    if file.name.endswith(INDEX):
        held, size = read_shards(file)
        metadata: Mapping[str, str] = {}
    else:
        held, metadata = read_file(file)
        size = file.stat().st_size
    if METADATA in metadata:
        if _ARTIFACT.match(metadata[METADATA]):
            raise InputError(f"{file} must be a FP32 checkpoint, not an integer artifact")
        return Checkpoint(file, held, about=metadata[METADATA])
    state, notes = find_state(held, file)
    state, more = bare(state, lambda names: recognized(names) is not None)
    layout = recognized(state)
    if layout is None:
        raise InputError(
            f"{file} holds a foreign network: its names must be those of "
            f"{', '.join(known.name for known in layouts())}, not {some(list(state)) or 'none'}"
        )
    check_size(state, file, size)
    proven = layout.pixels(state)
    state, dropped = layout.translate(state, file)
    described = described_in(file.parent) if layout.network == "vit" else _in_meta(held, file)
    if described.normalization is None and proven is not None:
        normalization, whose = proven
        described = replace(described, normalization=normalization, said_by=f"{whose} has it")
    return Checkpoint(file, state, layout, None, described, [*notes, *more, *dropped])


_PIXELS = re.compile(r"\b(mean|std)\s*=\s*\[([\d.,\s]{1,200})\]")


def _in_meta(held: object, source: Path) -> Described:
    """The normalization in the configuration that mmsegmentation keeps as text beside the weights."""
    meta = held.get("meta") if isinstance(held, Mapping) else None
    text = (
        next((meta[k] for k in ("cfg", "config") if isinstance(meta.get(k), str)), "")
        if isinstance(meta, Mapping)
        else ""
    )
    found = {key: _numbers(numbers) for key, numbers in _PIXELS.findall(text[: 2**20])}
    if set(found) != {"mean", "std"}:
        return Described()
    name = normalization_of(found["mean"], found["std"], source, 255.0)
    return Described(normalization=name, said_by="its configuration says")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        return []
