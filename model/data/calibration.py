"""Pictures for calibration: a folder's, scaled and cut to the model's window."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data import ade20k, scenes
from intarsia.model.data.dataset import TRAINING_SEEDS
from intarsia.model.data.images import has_colour, read_image
from intarsia.model.data.windows import Size, resized, scaled_size
from intarsia.model.errors import InputError
from intarsia.model.files import refusing
from intarsia.model.networks.config import EncoderConfig

PICTURES = (".png", ".jpg", ".jpeg")
DEFAULT_COUNT = 100

DATASET_ROOTS = (
    ("leftImg8bit", "gtFine"),
    (f"{ade20k.FOLDER}/images", f"{ade20k.FOLDER}/annotations"),
    ("images", "annotations"),
)
"""Where pictures and label maps are in the roots of datasets."""
LABEL_FOLDERS = {"gtfine", "gtcoarse", "annotations", "annotations_instance"}
LABEL_NAME = re.compile(
    r"_gt(Fine|Coarse)_|_(label(Train)?Ids|instance(Train)?Ids|seg|parts_\d+)$", re.IGNORECASE
)
"""Of label maps, by the layouts of the datasets."""


class CalibrationImages(Sequence[NDArray[np.uint8]]):
    """Windows uint8 [H, W, 3], read when asked for."""

    def __init__(self, sources: Sequence[Path | int], window: Size) -> None:
        self.sources, self.window = sources, window

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        source = self.sources[index]
        if isinstance(source, int):
            return scenes.generate(source, self.window).image
        image = read_image(source)
        try:
            return centred(image, self.window)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[i] for i in range(len(self)))


def calibration_images(
    config: EncoderConfig, folder: Path | None, count: int | None = None
) -> CalibrationImages:
    """`count` pictures of `folder` and the folders in it, evenly spread over the sorted names.

    Of a dataset's root its folder of pictures is taken. Hidden files and folders do not count, nor do the
    label maps of a dataset. Among pictures in colour one of a single channel is refused: it is a label map
    of some other layout.

    count: by default at most DEFAULT_COUNT. Without a folder a model of generated scenes is
    given training scenes; others are refused, as are folders with too few pictures.
    """
    if count is not None and count < 1:
        raise InputError(f"the number of calibration images must be at least 1, not {count}")
    if folder is None:
        if config.dataset != "scenes":
            kind = config.dataset or config.network
            raise InputError(f"--calibrate must name a folder of pictures for a model of {kind}")
        return CalibrationImages(
            range(TRAINING_SEEDS, TRAINING_SEEDS + (count or DEFAULT_COUNT)), config.image
        )
    folder = Path(folder)
    with refusing(f"calibration folder {folder} cannot be read"):
        if not folder.is_dir():
            wrong = "must be a folder, not a file" if folder.exists() else "does not exist"
            raise InputError(f"calibration folder {folder} {wrong}")
        if LABEL_FOLDERS & {part.lower() for part in folder.resolve().parts[-2:]}:  # it, or a split in it
            raise InputError(f"calibration folder {folder} must hold pictures, not label maps")
        place = _pictures_of(folder)
        found = sorted(path for path in place.rglob("*") if _is_picture(path, place))
    wanted = count or min(len(found), DEFAULT_COUNT)
    if len(found) < max(wanted, 1):
        raise InputError(
            f"calibration folder {folder} must hold {max(wanted, 1)} PNG or JPEG pictures or more, "
            f"not {len(found)}"
        )
    chosen = [found[i * len(found) // wanted] for i in range(wanted)]
    grey = [path for path in chosen if not has_colour(path)]
    if grey and len(grey) < len(chosen):
        raise InputError(
            f"{folder} must hold pictures alone, not label maps: {grey[0]} has one channel as they have, "
            "and others are in colour"
        )
    return CalibrationImages(chosen, config.image)


def centred(image: NDArray[np.uint8], window: Size) -> NDArray[np.uint8]:
    """The picture scaled to just cover the window and its middle cut out."""
    height, width = scaled_size((image.shape[0], image.shape[1]), window, window)
    scaled = resized(image, (height, width))
    top, left = (height - window[0]) // 2, (width - window[1]) // 2
    return np.ascontiguousarray(scaled[top : top + window[0], left : left + window[1]])


def _pictures_of(folder: Path) -> Path:
    """The folder of pictures where `folder` is the root of a dataset, otherwise itself."""
    for pictures, labels in DATASET_ROOTS:
        if (folder / pictures).is_dir() and (folder / labels).is_dir():
            return folder / pictures
    return folder


def _is_picture(path: Path, folder: Path) -> bool:
    inner = path.relative_to(folder)
    hidden = any(part.startswith(".") for part in inner.parts)
    return path.suffix.lower() in PICTURES and not hidden and not _is_label_map(inner) and path.is_file()


def _is_label_map(path: Path) -> bool:
    """By its name and folders, as Cityscapes and ADE20K (benchmark and full) have them."""
    folders = {part.lower() for part in path.parts[:-1]}
    return bool(LABEL_FOLDERS & folders or LABEL_NAME.search(path.stem))
