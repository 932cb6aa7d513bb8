"""Cityscapes: 19 classes of street scenes, fine annotations, files as published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data.pairs import Pair, existing_folder, found, label_mapping, with_suffix
from intarsia.model.errors import InputError

SPLITS = ("train", "val")

_TABLE = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
"""The label id, name and colour of each train id, in order."""

CLASSES: tuple[str, ...] = tuple(name for _, name, _ in _TABLE)
PALETTE: NDArray[np.uint8] = np.array([colour for *_, colour in _TABLE], dtype=np.uint8)

LABEL_IDS = label_mapping(
    {value: k for k, (value, *_) in enumerate(_TABLE)},
    ignored=tuple(v for v in range(34) if v not in {value for value, *_ in _TABLE}),
)
TRAIN_IDS = label_mapping({k: k for k in range(len(_TABLE))}, ignored=(255,))


def pairs(root: Path, split: str) -> list[Pair]:
    """leftImg8bit/SPLIT/CITY/X_leftImg8bit.png with gtFine/SPLIT/CITY/X_gtFine_*.png.

    X_gtFine_labelTrainIds.png is taken where it exists, else X_gtFine_labelIds.png. Suffixes may be of any
    case.
    """
    base = existing_folder(root)
    pictures = found(base / "leftImg8bit" / split, "*/*_leftImg8bit.png")
    annotations = existing_folder(base / "gtFine" / split)
    present = {path.with_suffix(""): path for path in with_suffix(annotations, "*/*_gtFine_label*Ids.png")}
    result = []
    for picture in pictures:
        name = picture.stem.removesuffix("_leftImg8bit")
        stem = annotations / picture.parent.name / f"{name}_gtFine"
        train_ids, label_ids = Path(f"{stem}_labelTrainIds"), Path(f"{stem}_labelIds")
        if train_ids in present:
            result.append(Pair(name, picture, present[train_ids], TRAIN_IDS))
        elif label_ids in present:
            result.append(Pair(name, picture, present[label_ids], LABEL_IDS))
        else:
            raise InputError(f"{picture} must have an annotation {label_ids}.png, not none")
    return result
