"""A network on one picture in the RTL, the emulator and the integer executor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.arch.machine import Machine
from intarsia.emu.compile import compile_graph, memory_image, outputs_of
from intarsia.model.data.scenes import generate
from intarsia.model.data.windows import resized, scaled_size
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks import DEFAULT, find
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.rtl.run import Comparison, OnProgress, compare_program
from intarsia.sim.rtl.waves import Waves

SEED = 0


@dataclass(frozen=True)
class Inference:
    """What a network did: by name the outputs that the RTL left, and those that the executor gives."""

    comparison: Comparison
    outputs: Mapping[str, NDArray[Any]]
    reference: Mapping[str, NDArray[Any]]

    @property
    def wrong(self) -> dict[str, int]:
        """By output how many of its values differ from the executor's; those that agree are left out."""
        counts = {name: int((self.outputs[name] != right).sum()) for name, right in self.reference.items()}
        return {name: count for name, count in counts.items() if count}

    @property
    def ok(self) -> bool:
        """Whether RTL, emulator and executor agree."""
        return self.comparison.ok and not self.wrong


def compare_network(
    graph: Graph,
    machine: Machine,
    window: NDArray[np.uint8],
    *,
    waves: Waves | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Inference:
    """Runs a network on a picture of its window, uint8 [H, W, 3]; `waves` are kept of the RTL; raises as
    `compare_program`."""
    on_progress("running the integer executor", 0, None)
    program = compile_graph(graph, machine)
    reference = Executor(graph).outputs(window)
    found = compare_program(
        program, memory_image(graph, program, window), waves=waves, on_progress=on_progress
    )
    return Inference(found, outputs_of(graph, program, found.dram), reference)


def random_network(
    size: str, dataset: str | None = None, network: str = DEFAULT
) -> tuple[Graph, NDArray[np.uint8]]:
    """A network of a named size with random weights, quantized, and a picture for it."""
    torch.manual_seed(SEED)
    entry = find(network)
    config = entry.named(size, dataset).integer()
    picture = generate(SEED, config.image).image
    return quantize(entry.make(config).eval(), [picture], QuantizeOptions()), picture


def middle_window(picture: NDArray[np.uint8], config: EncoderConfig) -> NDArray[np.uint8]:
    """The middle of a picture that is scaled to just cover the network's window."""
    height, width = config.image
    target = scaled_size(picture.shape[:2], config.image, config.image, config.patch)
    scaled = picture if picture.shape[:2] == target else resized(picture, target)
    top, left = (target[0] - height) // 2, (target[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])
