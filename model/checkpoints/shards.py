"""Weights in several files with an index that tells which tensor is in which (Hugging Face's layout)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from intarsia.model.checkpoints.documents import read_json
from intarsia.model.checkpoints.reader import read_file
from intarsia.model.checkpoints.tensors import some
from intarsia.model.errors import InputError
from intarsia.model.messages import shortened

MAX_SHARDS = 1024


def read_shards(index: Path) -> tuple[dict[str, Any], int]:
    """All tensors that an index names, and how many bytes its files have.

    The index is a JSON object with `weight_map`, tensor names to names of files in its folder. Raises
    InputError for a file outside of the folder, one that is missing, and a tensor that its file lacks.
    """
    files: dict[str, list[str]] = {}
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise InputError(
            f"{index} must hold weight_map, names of tensors to files, not {shortened(places)}"
        )
    for key, name in places.items():
        if not isinstance(name, str) or Path(name).name != name or "\0" in name or name in ("", ".", ".."):
            raise InputError(f"{index}: a shard must be a file beside it, not {shortened(name)}")
        files.setdefault(name, []).append(key)
    if len(files) > MAX_SHARDS:
        raise InputError(f"{index} must name at most {MAX_SHARDS} shards, not {len(files)}")
    state: dict[str, Any] = {}
    size = 0
    for name, keys in files.items():
        shard = index.parent / name
        held, _ = read_file(shard)
        lacking = [key for key in keys if not isinstance(held, dict) or key not in held]
        if lacking:
            raise InputError(f"{shard} lacks tensors that {index.name} places there: {some(lacking)}")
        state.update((key, held[key]) for key in keys)
        size += shard.stat().st_size
    return state, size
