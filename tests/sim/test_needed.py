"""Rows that outputs depend on."""

from __future__ import annotations

import numpy as np

from intarsia.model.networks.dinov2.config import Dinov2Config
from intarsia.model.networks.vit.config import ViTConfig
from intarsia.model.quantize.outline import outline
from intarsia.sim.needed import needed_rows

ENCODER = {"embed": 8, "heads": 1, "layers": 1, "image": (16, 24), "patch": 8, "normalization": "vit"}


def needed(config):
    return {name: np.flatnonzero(rows).tolist() for name, rows in needed_rows(outline(config)).items()}


def test_a_class_token_alone_is_read():
    found = needed(ViTConfig(**ENCODER, classes=3))
    assert found["encoder.norm"] == [0] and found["encoder.blocks.0.residual2"] == list(range(7))
    assert "image" not in found and found["classes"] == [0]


def test_a_mean_reads_the_patches():
    found = needed(ViTConfig(**ENCODER, classes=3, pool="mean"))
    assert found["encoder.norm"] == [1, 2, 3, 4, 5, 6]


def test_registers_do_not_leave():
    found = needed(Dinov2Config(**ENCODER, registers=2))
    assert found["encoder.norm"] == [0, 3, 4, 5, 6, 7, 8]
