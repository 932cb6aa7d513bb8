"""Pictures for calibration: a folder's, scaled and cut to the model's window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.data import scenes
from model.data.dataset import TRAINING_SEEDS
from model.data.images import read_image
from model.data.windows import Size, resized, scaled_size
from model.errors import InputError
from model.files import refusing
from model.segmenter.config import SegmenterConfig

PICTURES = (".png", ".jpg", ".jpeg")
DEFAULT_COUNT = 100


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
    config: SegmenterConfig, folder: Path | None, count: int | None = None
) -> CalibrationImages:
    """`count` pictures of `folder` and the folders in it, evenly spread over the sorted names.

    Hidden files and folders do not count.

    count: by default at most DEFAULT_COUNT. Without a folder a model of generated scenes is
    given training scenes; others are refused, as are folders with too few pictures.
    """
    if count is not None and count < 1:
        raise InputError(f"the number of calibration images must be at least 1, not {count}")
    if folder is None:
        if config.dataset != "scenes":
            raise InputError(f"--calibrate must name a folder of pictures for a model of {config.dataset}")
        return CalibrationImages(
            range(TRAINING_SEEDS, TRAINING_SEEDS + (count or DEFAULT_COUNT)), config.image
        )
    folder = Path(folder)
    with refusing(f"calibration folder {folder} cannot be read"):
        if not folder.is_dir():
            raise InputError(f"calibration folder {folder} does not exist or is not a folder")
        found = sorted(path for path in folder.rglob("*") if _is_picture(path, folder))
    wanted = count or min(len(found), DEFAULT_COUNT)
    if len(found) < max(wanted, 1):
        raise InputError(
            f"calibration folder {folder} holds {len(found)} PNG or JPEG files, wanted {max(wanted, 1)}"
        )
    return CalibrationImages([found[i * len(found) // wanted] for i in range(wanted)], config.image)


def centred(image: NDArray[np.uint8], window: Size) -> NDArray[np.uint8]:
    """The picture scaled to just cover the window and its middle cut out."""
    height, width = scaled_size((image.shape[0], image.shape[1]), window, window)
    scaled = resized(image, (height, width))
    top, left = (height - window[0]) // 2, (width - window[1]) // 2
    return np.ascontiguousarray(scaled[top : top + window[0], left : left + window[1]])


def _is_picture(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in PICTURES and not hidden and path.is_file()
