"""Segmenter (Strudel et al., 2021) in PyTorch FP32: sizes, model, checkpoints."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from intarsia.model.networks.segmenter.config import DATASETS, SIZES, SegmenterConfig

if TYPE_CHECKING:
    from intarsia.model.networks.segmenter.checkpoint import load_checkpoint, load_encoder, save_checkpoint
    from intarsia.model.networks.segmenter.segmenter import Segmenter

__all__ = [
    "DATASETS",
    "SIZES",
    "Segmenter",
    "SegmenterConfig",
    "load_checkpoint",
    "load_encoder",
    "save_checkpoint",
]

_HOMES = {"Segmenter": "segmenter", "load_checkpoint": "checkpoint", "load_encoder": "checkpoint",
          "save_checkpoint": "checkpoint"}  # fmt: skip


def __getattr__(name: str) -> Any:
    # On demand: integers and the emulator need the sizes, but not PyTorch.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
