"""Pictures in one folder for each class, as ImageNet and many others are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data.images import read_image
from intarsia.model.data.windows import Size, resized, scaled_size
from intarsia.model.errors import InputError
from intarsia.model.files import refusing

PICTURES = (".png", ".jpg", ".jpeg")

VALIDATION = "val"
"""Folder of the validation set in a dataset's root."""


@dataclass(frozen=True)
class Example:
    """A picture uint8 [H, W, 3] and its class."""

    path: Path
    image: NDArray[np.uint8]
    label: int


class ClassFolders:
    """Pictures of a folder of class folders.

    root: the folder, or one that has it as `val`. Classes are numbered in the order of the folders' sorted
    names, as ImageNet's. count: so many pictures, spread evenly over the sorted files; default: all.
    """

    def __init__(self, root: Path, count: int | None = None) -> None:
        with refusing(f"{root} cannot be read"):
            if not root.is_dir():
                raise InputError(f"{root} must be a folder with a folder for each class, but is none")
            place = root / VALIDATION if (root / VALIDATION).is_dir() else root
            folders = sorted(path for path in place.iterdir() if path.is_dir() and path.name[0] != ".")
            files = [
                (path, label)
                for label, folder in enumerate(folders)
                for path in sorted(folder.rglob("*"))
                if path.suffix.lower() in PICTURES and path.is_file()
            ]
        if not files:
            raise InputError(
                f"{place} must hold a folder of PNG or JPEG pictures for each class, but has none"
            )
        if count is not None and not 1 <= count <= len(files):
            raise InputError(f"the number of pictures must be in 1..{len(files)} for {place}, not {count}")
        wanted = len(files) if count is None else count
        self.classes = tuple(folder.name for folder in folders)
        self.files = [files[i * len(files) // wanted] for i in range(wanted)]

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Example]:
        return (Example(path, read_image(path), label) for path, label in self.files)


def cropped(image: NDArray[np.uint8], window: Size) -> NDArray[np.uint8]:
    """The window of a picture uint8 [H, W, 3] that is classified.

    As ImageNet is evaluated: the picture is scaled to cover 8/7 of the window (256 for 224), and the middle
    is cut out. A picture of exactly the window's size is left alone.
    """
    height, width = image.shape[:2]
    if (height, width) == tuple(window):
        return image
    size = (-(-window[0] * 8 // 7), -(-window[1] * 8 // 7))
    scaled = resized(image, scaled_size((height, width), window, size))
    top, left = (scaled.shape[0] - window[0]) // 2, (scaled.shape[1] - window[1]) // 2
    return np.ascontiguousarray(scaled[top : top + window[0], left : left + window[1]])
