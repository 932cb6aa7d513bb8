"""A Segmenter on the accelerator that fits into an ECP5-85F (benchmarks/ecp5.toml): cycles of the RTL.

    .venv/bin/python benchmarks/ecp5.py [--mhz 100]

The mini Segmenter with patches of 16 pixels, 192 x 256, 10 classes, random weights: a frame's cycles do
not depend on the weights. What clock the device reaches says `intarsia verilog --stats`, in docs/area.md.
"""

from __future__ import annotations

import argparse
import sys

import torch

from emu.compile import compile_graph
from emu.machine import Machine
from model.data.scenes import generate
from model.integer.graph import QuantizeOptions
from model.quantize.ptq import quantize
from model.segmenter import Segmenter, SegmenterConfig
from sim.rtl.job import longest_queue
from sim.rtl.network import compare_network


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mhz", type=float, default=100, help="the clock that frames/s are for")
    clock = parser.parse_args().mhz
    torch.manual_seed(0)
    config = SegmenterConfig.named("mini", "scenes", l2norm=False, patch=16)
    picture = generate(0, config.image).image
    graph = quantize(Segmenter(config).eval(), [picture], QuantizeOptions())
    machine = Machine.load("benchmarks/ecp5.toml")
    program = compile_graph(graph, machine)
    print(f"{longest_queue(program)} instructions in the longest queue, {len(program.segments)} segments")
    found = compare_network(graph, machine, picture)
    run = found.comparison
    print(
        f"{run.rtl_cycles:,} cycles in the RTL, {run.emulated_cycles:,} emulated; "
        f"{run.compared_values:,} values compared, {run.mismatched_values} differ"
    )
    print(f"{1e6 * clock / run.rtl_cycles:.1f} frames/s at {clock:g} MHz")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main())
