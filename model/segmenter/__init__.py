"""Segmenter (Strudel et al., 2021) in PyTorch FP32: sizes, model, checkpoints."""

from model.segmenter.checkpoint import load_checkpoint, load_encoder, save_checkpoint
from model.segmenter.config import DATASETS, SIZES, SegmenterConfig
from model.segmenter.segmenter import Segmenter

__all__ = [
    "DATASETS",
    "SIZES",
    "Segmenter",
    "SegmenterConfig",
    "load_checkpoint",
    "load_encoder",
    "save_checkpoint",
]
