"""Windows of pictures, and a network in the RTL."""

from __future__ import annotations

import numpy as np
import pytest

from emu.machine import Machine
from sim.rtl.network import compare_network, middle_window


@pytest.mark.parametrize("shape", [(60, 80), (120, 160), (60, 200), (500, 80)])
def test_the_middle_window(graph, shape):
    picture = np.zeros((*shape, 3), np.uint8)
    picture[shape[0] // 2, shape[1] // 2 :] = 255
    found = middle_window(picture, graph.config)
    assert found.shape == (*graph.config.image, 3)
    assert found[28:32, 70].any()


def test_a_network_in_the_rtl(graph, picture):
    """Every tensor, every label and every cycle."""
    found = compare_network(graph, Machine.load("tests/hw/whole.toml"), picture)
    assert found.comparison.problems == ()
    assert found.ok
