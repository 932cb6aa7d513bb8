"""A Segmenter on the accelerator that an ECP5-85F holds: its cycles in RTL and emulator, frames per second.

.venv/bin/python benchmarks/ecp5.py MHZ      # the clock that docs/area.md says
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from intarsia.arch.machine import Machine
from intarsia.model.data.scenes import generate
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.rtl.network import compare_network

MACHINE = Path(__file__).with_name("ecp5_whole.toml")
NETWORK = SegmenterConfig(
    embed=128, heads=2, layers=4, decoder_layers=2, image=(192, 256), patch=16, classes=10, l2norm=False
)
SEED = 0


def main(mhz: float) -> int:
    torch.manual_seed(SEED)
    picture = generate(SEED, NETWORK.image).image
    graph = quantize(Segmenter(NETWORK).eval(), [picture], QuantizeOptions())
    found = compare_network(graph, Machine.load(MACHINE), picture)
    run = found.comparison
    print(f"RTL {run.rtl_cycles:,} cycles, emulator {run.emulated_cycles:,}")
    print(f"{run.mismatched_values} of {run.compared_values:,} values differ")
    print(f"{1e6 * mhz / run.rtl_cycles:.2f} frames/s at {mhz:g} MHz")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
