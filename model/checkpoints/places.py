"""Which file a path means: itself, or the weights in a folder of a training, a hub or its cache."""

from __future__ import annotations

from pathlib import Path

from intarsia.model.errors import InputError
from intarsia.model.files import refusing

INDEX = ".index.json"
"""How the name of an index of shards ends."""

PUBLISHED = "checkpoint.pth"
"""What Segmenter's training calls its weights."""

NAMED = (
    PUBLISHED,
    "model.safetensors",
    "model.safetensors" + INDEX,
    "pytorch_model.bin",
    "pytorch_model.bin" + INDEX,
)
"""Files of weights by their usual names, the first that a folder has is taken."""

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
"""How other files of weights end."""


def weights_in(path: Path) -> Path:
    """The file of weights, or the index of its shards, that `path` means.

    In a folder: one of NAMED, else the only file that ends in one of SUFFIXES; in a hub's cache (a folder
    with `snapshots`) the same in the snapshot that `refs/main` names, or in the only one. Raises InputError
    where several files could be meant.
    """
    with refusing(f"{path} cannot be read"):
        if not path.is_dir():
            return path
        if (path / "snapshots").is_dir():
            return weights_in(_snapshot(path))
        for name in NAMED:
            if (path / name).exists():
                return path / name
        found = sorted(f for f in path.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file())
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:8])
        raise InputError(f"{path} must hold one file of weights, not {len(found)} ({names}): name one")
    return found[0] if found else path / PUBLISHED


def _snapshot(cache: Path) -> Path:
    found = sorted(entry for entry in (cache / "snapshots").iterdir() if entry.is_dir())
    main = cache / "refs" / "main"
    if main.is_file() and main.stat().st_size < 256:
        wanted = main.read_text(errors="replace").strip()
        found = [entry for entry in found if entry.name == wanted] or found
    if len(found) != 1:
        raise InputError(f"{cache} must hold one snapshot, not {len(found)}: name one of its folders")
    return found[0]
