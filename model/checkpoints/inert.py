"""Harmless objects beside tensors, as trainers save them: read past, never made.

Each listed name stands for the same empty object, so not even their own classes are imported or called.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch

_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
"""Before and since NumPy 2."""

_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")

NAMES: tuple[str, ...] = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(f"{module}.{name}" for module in _NUMPY for name in ("scalar", "_reconstruct")),
    "numpy.dtype",
    "numpy.ndarray",
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in _PATHS),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
    "mmengine.logging.history_buffer.HistoryBuffer",
)
"""Globals of a pickle that are read past: settings, NumPy's values, paths, dates and a log of losses."""


class Inert:
    """What a pickle's object of a listed class becomes: it takes everything and keeps nothing."""

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


def reading_past() -> AbstractContextManager[None]:
    """Within the block `torch.load(weights_only=True)` reads past the objects of NAMES."""
    allowed: Any = [(Inert, name) for name in NAMES]
    block: AbstractContextManager[None] = torch.serialization.safe_globals(allowed)
    return block
