"""Random small networks in the RTL beside the emulator and the integer executor: `make random-networks`.

    python -m tools.random_networks [NETWORKS [MACHINE...]]

So many networks on every machine, a preset or a file; without any, on the three presets. Every layer kind
occurs in sizes that fill no lane, line or tile. Writes random-networks.json after every network, and goes
on where that ends for the same RTL.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from emu.machine import PRESETS, Machine
from model.data.scenes import generate
from model.integer.constants import GELU_FORMS
from model.integer.graph import QuantizeOptions
from model.quantize.ptq import quantize
from model.segmenter import Segmenter, SegmenterConfig
from sim.rtl.network import compare_network
from sim.rtl.run import Comparison
from tools.random_runs import main

NETWORKS = 20


def play(machine: Machine, seed: int) -> tuple[Comparison, bool]:
    rng = np.random.default_rng(seed)
    heads = int(rng.integers(1, 4))
    size = int(rng.integers(9, 97)), int(rng.integers(9, 97))
    config = SegmenterConfig(
        embed=heads * int(rng.choice([4, 16, 24, 33, 64])),
        heads=heads,
        layers=int(rng.integers(1, 3)),
        decoder_layers=int(rng.integers(1, 3)),
        decoder_heads=int(rng.choice([1, heads])),
        patch=int(rng.choice([8, 16])),
        image=size,
        classes=int(rng.choice([1, 2, 7, 19, 150, 260])),
        mlp_ratio=int(rng.integers(1, 5)),
        l2norm=False,
    )
    options = QuantizeOptions(
        gelu=str(rng.choice(list(GELU_FORMS))),
        softmax_bits=int(rng.choice([8, 16])),
        multiplier_bits=int(rng.choice([12, 16, 32])),
        reciprocal_bits=int(rng.choice([20, 31, 46])),
    )
    torch.manual_seed(seed)
    picture = generate(seed, size).image
    found = compare_network(quantize(Segmenter(config).eval(), [picture], options), machine, picture)
    return found.comparison, found.ok


if __name__ == "__main__":
    sys.exit(main("network", {name: Machine.load(name) for name in PRESETS}, NETWORKS, play))
