"""ADE20K's scene parsing benchmark (ADEChallengeData2016): 150 classes, files as published."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.data.pairs import Pair, existing_folder, found, label_mapping
from model.errors import InputError

FOLDER = "ADEChallengeData2016"
SPLITS = {"train": "training", "val": "validation"}

_ROWS = json.loads(files("model.data").joinpath("ade20k.json").read_text(encoding="utf-8"))
CLASSES: tuple[str, ...] = tuple(name for name, _ in _ROWS)
PALETTE: NDArray[np.uint8] = np.array([colour for _, colour in _ROWS], dtype=np.uint8)
"""[150, 3]: the colours that mmsegmentation and Segmenter draw with."""

MAPPING = label_mapping({value: value - 1 for value in range(1, 151)}, ignored=(0,))


def pairs(root: Path, split: str) -> list[Pair]:
    """images/SPLIT/NAME.jpg with annotations/SPLIT/NAME.png under `root` or its ADE folder."""
    base = existing_folder(root)
    if (base / FOLDER).is_dir():
        base = base / FOLDER
    pictures = found(base / "images" / SPLITS[split], "*.jpg")
    folder = existing_folder(base / "annotations" / SPLITS[split])
    present = {p.name for p in folder.iterdir()}
    for picture in pictures:
        if f"{picture.stem}.png" not in present:
            raise InputError(f"{picture} has no annotation, {folder / picture.stem}.png is wanted")
    return [Pair(p.stem, p, folder / f"{p.stem}.png", MAPPING) for p in pictures]
