"""Pictures with annotations in folders: finding them, and reading one pair into an example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data.images import IGNORE, read_image, read_map
from intarsia.model.errors import InputError
from intarsia.model.files import refusing


@dataclass(frozen=True)
class Example:
    """A picture uint8 [H, W, 3] and its labels uint8 [H, W]: class numbers, 255 = ignore."""

    name: str
    image: NDArray[np.uint8]
    label: NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """Files of a picture and its annotation; `mapping` as from `label_mapping`."""

    name: str
    image: Path
    annotation: Path
    mapping: NDArray[np.int16] = field(repr=False)

    def read(self) -> Example:
        """Both files decoded; an annotation that does not fit is refused."""
        image, values = read_image(self.image), read_map(self.annotation)
        if values.shape != image.shape[:2]:
            raise InputError(
                f"{self.annotation} must have {image.shape[0]} x {image.shape[1]} pixels as {self.image} "
                f"has, not {values.shape[0]} x {values.shape[1]}"
            )
        # Maps of 16 bits hold small values too; what the mapping has no place for is unknown like -1.
        label = np.where(values < len(self.mapping), self.mapping[values.astype(np.uint8)], np.int16(-1))
        if (label < 0).any():
            wrong = values[label < 0].max()
            allowed = np.flatnonzero(self.mapping >= 0)
            raise InputError(f"labels of {self.annotation} must be {_ranges(allowed)}, not {wrong}")
        return Example(self.name, image, label.astype(np.uint8))


def label_mapping(classes: dict[int, int], ignored: tuple[int, ...]) -> NDArray[np.int16]:
    """int16 [256] from a file's value to a class; 255 for `ignored` values, -1 for all others."""
    mapping = np.full(256, -1, dtype=np.int16)
    mapping[list(ignored)] = IGNORE
    for value, label in classes.items():
        mapping[value] = label
    return mapping


def existing_folder(path: Path) -> Path:
    """`path`, refused by name when it is not a folder."""
    with refusing(f"{path} cannot be read"):
        if not path.is_dir():
            wrong = "must be a folder, not a file" if path.exists() else "does not exist"
            raise InputError(f"{path} {wrong}")
    return path


def found(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder by a pattern that ends in a suffix, which may be of any case; sorted.

    None is refused. Hidden files do not count.
    """
    files = sorted(with_suffix(existing_folder(folder), pattern))
    if not files:
        raise InputError(f"{folder} must hold at least one {pattern}, not none")
    return files


def with_suffix(folder: Path, pattern: str) -> Iterator[Path]:
    """Files by a pattern that ends in a suffix, of any case: cameras and file systems write .JPG too."""
    suffix = Path(pattern).suffix
    for path in folder.glob(f"{pattern.removesuffix(suffix)}.*"):
        if path.suffix.lower() == suffix and not path.name.startswith("."):
            yield path


def _ranges(values: NDArray[np.integer]) -> str:
    """Sorted numbers in words: 0 to 18 and 255."""
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return " and ".join(f"{r[0]} to {r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs)
