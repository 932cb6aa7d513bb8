"""ADE20K's scene parsing benchmark (ADEChallengeData2016): 150 classes, files as published."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data.pairs import Pair, existing_folder, found, label_mapping, with_suffix
from intarsia.model.errors import InputError

FOLDER = "ADEChallengeData2016"
SPLITS = {"train": "training", "val": "validation"}

_ROWS = json.loads(files("intarsia.model.data").joinpath("ade20k.json").read_text(encoding="utf-8"))
CLASSES: tuple[str, ...] = tuple(name for name, _ in _ROWS)
PALETTE: NDArray[np.uint8] = np.array([colour for _, colour in _ROWS], dtype=np.uint8)
"""[150, 3]: the colours that mmsegmentation and Segmenter draw with."""

MAPPING = label_mapping({value: value - 1 for value in range(1, 151)}, ignored=(0,))


def pairs(root: Path, split: str) -> list[Pair]:
    """images/SPLIT/NAME.jpg with annotations/SPLIT/NAME.png under `root` or its ADE folder.

    Suffixes may be of any case. The full ADE20K, whose files and classes are others, is refused by name.
    """
    base = existing_folder(root)
    if (base / FOLDER).is_dir():
        base = base / FOLDER
    elif _is_full(base):
        raise InputError(
            f"{root} must hold ADE20K's benchmark of 150 classes ({FOLDER}, with images and annotations "
            "apart), not the full ADE20K (thousands of objects and parts, annotations *_seg.png)"
        )
    pictures = found(base / "images" / SPLITS[split], "*.jpg")
    folder = existing_folder(base / "annotations" / SPLITS[split])
    annotations = {path.stem: path for path in with_suffix(folder, "*.png")}
    for picture in pictures:
        if picture.stem not in annotations:
            raise InputError(f"{picture} must have an annotation {folder / picture.stem}.png, not none")
    return [Pair(p.stem, p, annotations[p.stem], MAPPING) for p in pictures]


def _is_full(base: Path) -> bool:
    """Whether these are the files of the full ADE20K, of 2016 or of 2021."""
    if any((base / f"index_ade20k.{suffix}").exists() for suffix in ("pkl", "mat")):
        return True
    folders = [base, base / "images", base / "images" / "ADE"]
    below = [folder / split for folder in folders for split in SPLITS.values()]
    return any(
        next(folder.glob("*/*_seg.png"), next(folder.glob("*/*/*_seg.png"), None)) for folder in below
    )
