"""A small Segmenter with random weights, its picture and its integer graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from intarsia.model.data.scenes import generate
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.quantize.ptq import quantize
from tests.needs import require

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

RTL = {"hw", "sim", "synth"}
"""Folders whose tests build hardware, simulate or synthesize it."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    require(item)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests of those folders `rtl`."""
    for item in items:
        if RTL & set(item.path.relative_to(Path(__file__).parent).parts):
            item.add_marker("rtl")


SIZE = (60, 80)
"""Not a multiple of the patch, so that padding takes part."""


def random_segmenter(seed: int = 0, **changes: Any) -> Segmenter:
    """2 + 2 blocks of 2 heads; LayerNorm parameters are random too."""
    torch.manual_seed(seed)
    shape: dict[str, Any] = {"embed": 64, "heads": 2, "layers": 2, "image": SIZE, "classes": 10, "patch": 8}
    segmenter = Segmenter(SegmenterConfig(**{**shape, "l2norm": False, **changes})).eval()
    with torch.no_grad():
        for parameter in segmenter.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return segmenter


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    return random_segmenter()


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint8]:
    return generate(1, SIZE).image


@pytest.fixture(scope="session")
def graph(segmenter: Segmenter) -> Graph:
    return quantize(segmenter, [generate(seed, SIZE).image for seed in (2, 3)], QuantizeOptions())
