"""Datasets by name: examples for evaluation and calibration, random windows for training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data import ade20k, cityscapes, scenes
from intarsia.model.data.augment import training_window
from intarsia.model.data.pairs import Example, Pair
from intarsia.model.data.windows import Size, published
from intarsia.model.errors import InputError
from intarsia.model.files import refusing
from intarsia.model.networks.segmenter.config import DATASETS

__all__ = ["SPLITS", "TRAINING_SEEDS", "Dataset", "Example", "Pictures", "Scenes", "open_dataset"]

SPLITS = ("train", "val")

TRAINING_SEEDS = 2**32
"""Scenes of lower seeds are for evaluation. A training run of seed s draws from s * 2**32 on,
so with s of at least 1 it sees none of them."""

SCENES = 200
"""Examples of a split of generated scenes when no count is given."""

SCENES_PALETTE = np.array(
    [
        (70, 130, 180), (70, 70, 70), (128, 64, 128), (244, 35, 232), (107, 142, 35),
        (152, 251, 152), (0, 0, 142), (220, 20, 60), (153, 153, 153), (220, 220, 0),
    ],
    dtype=np.uint8,
)  # fmt: skip
"""Cityscapes' colours of the same things; grass has its terrain's."""


class Dataset(ABC):
    """A split of a dataset.

    classes: K names. palette: uint8 [K, 3]. window: (h, w) of training samples.
    """

    classes: tuple[str, ...]
    palette: NDArray[np.uint8]
    window: Size

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Example:
        """Example 0..len-1 at its own size."""

    @abstractmethod
    def sample(self, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A training window uint8 [h, w, 3] and labels uint8 [h, w], decided by the seed alone."""

    def __iter__(self) -> Iterator[Example]:
        return (self[i] for i in range(len(self)))


class Scenes(Dataset):
    """Generated scenes: seeds 0.. for "val", TRAINING_SEEDS.. for "train"; no augmentation."""

    def __init__(self, split: str, window: Size, count: int) -> None:
        self.classes, self.palette, self.window = scenes.CLASSES, SCENES_PALETTE, window
        first = 0 if split == "val" else TRAINING_SEEDS
        self.seeds = range(first, first + count)

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, index: int) -> Example:
        seed = self.seeds[index]
        scene = scenes.generate(seed, self.window)
        return Example(f"scene-{seed}", scene.image, scene.label)

    def sample(self, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        scene = scenes.generate(seed, self.window)
        return scene.image, scene.label


class Pictures(Dataset):
    """Annotated pictures in files; samples are augmented as the published Segmenter's.

    size: what a picture is scaled to cover before the random ratio.
    """

    def __init__(
        self,
        pairs: list[Pair],
        classes: tuple[str, ...],
        palette: NDArray[np.uint8],
        window: Size,
        size: Size,
    ) -> None:
        self.pairs, self.classes, self.palette = pairs, classes, palette
        self.window, self.size = window, size

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Example:
        return self.pairs[index].read()

    def sample(self, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng(seed)
        example = self[int(rng.integers(len(self)))]
        return training_window(example.image, example.label, self.window, self.size, rng)


def open_dataset(
    name: str,
    root: str | Path | None,
    split: str,
    *,
    window: Size | None = None,
    count: int | None = None,
) -> Dataset:
    """The dataset "scenes", "ade20k" or "cityscapes", split "train" or "val".

    root: its folder; scenes need none. window: (h, w) of training samples and of scenes, by
    default the dataset's. count: that many examples, spread evenly over the sorted files (the
    first seeds of scenes). A layout other than the published one is refused.
    """
    if name not in DATASETS:
        raise InputError(f"dataset must be one of {', '.join(DATASETS)}, not {name!r}")
    if split not in SPLITS:
        raise InputError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    if count is not None and count < 1:
        raise InputError(f"the number of examples must be at least 1, not {count}")
    if count is not None and count >= 2**31:
        raise InputError(f"the number of examples must be below {2**31}, not {count}")
    size = window or DATASETS[name]["image"]
    if len(size) != 2 or min(size) < 1:
        raise InputError(f"window must be two positive integers (height, width), not {size}")
    if name == "scenes":
        return Scenes(split, size, count or SCENES)
    if root is None:
        raise InputError(f"{name} must have the folder that holds its files, not none")
    source = {"ade20k": ade20k, "cityscapes": cityscapes}[name]
    with refusing(f"{root} cannot be read"):
        pairs = source.pairs(Path(root), split)
    if count is not None:
        if count > len(pairs):
            raise InputError(f"{root} must have {count} examples or more for {split}, not {len(pairs)}")
        pairs = [pairs[i * len(pairs) // count] for i in range(count)]
    return Pictures(pairs, source.CLASSES, source.PALETTE, size, published(name, size)["size"])
