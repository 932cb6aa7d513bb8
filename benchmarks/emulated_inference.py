"""Every tensor of whole inferences on the emulated machine against the integer executor.

    .venv/bin/python benchmarks/emulated_inference.py [--size tiny] [--machine mobile]

Random weights at 512x512, 150 classes: each form of GELU and each width of the probabilities.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.arch.hazards import check_program
from intarsia.arch.machine import Machine
from intarsia.arch.timing import simulate_program
from intarsia.emu.compile import compile_graph
from intarsia.model.data.scenes import generate
from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.emulated import emulate_network


def mismatches(graph: Graph, machine: Machine, image: NDArray[np.uint8]) -> tuple[int, int, str]:
    """Values that differ, values compared, and what it cost."""
    start = time.perf_counter()
    program = compile_graph(graph, machine)
    check_program(program)
    found = emulate_network(graph, program, image)
    cycles = simulate_program(program).cycles
    text = f"{cycles / 1e6:.2f} M cycles, {time.perf_counter() - start:.1f} s"
    return found.wrong + len(found.hidden), found.compared, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--machine", default="mobile")
    options = parser.parse_args()
    torch.manual_seed(0)
    segmenter = Segmenter(SegmenterConfig.named(options.size, l2norm=False)).eval()
    machine, image = Machine.load(options.machine), generate(0, (512, 512)).image
    failed = False
    for form in GELU_FORMS:
        for bits in (16, 8):
            graph = quantize(segmenter, [image], QuantizeOptions(gelu=form, softmax_bits=bits))
            wrong, compared, text = mismatches(graph, machine, image)
            failed |= wrong > 0
            name = f"{options.size} on {machine.name}, {form}, softmax {bits} bits"
            print(f"{name}: {wrong} of {compared} differ; {text}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
