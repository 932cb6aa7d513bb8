"""Integer inference against FP32, image to labels, on the same cores in one run.

    .venv/bin/python benchmarks/inference.py [--size tiny] [--size base] [--rounds 5]

The engines take turns, so that a change of clock or load meets all of them; the best round of
each counts. Peak memory is that of a process that does nothing else. Weights are random: time
does not depend on them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from intarsia.model.data.images import normalize
from intarsia.model.data.scenes import generate
from intarsia.model.export import export_onnx
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import Graph
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.quantize.ptq import quantize

Run = Callable[[], object]


def random_segmenter(size: str) -> Segmenter:
    """The published model of this size with random weights, 512x512, 150 classes."""
    torch.manual_seed(0)
    return Segmenter(SegmenterConfig.named(size, "ade20k")).eval()


class _Labels(torch.nn.Module):
    """Normalized image to labels."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.segmenter(image).argmax(dim=1)


def fp32(segmenter: Segmenter, image: NDArray[np.uint8]) -> Run:
    """PyTorch, eager."""
    network = _Labels(segmenter)

    def run() -> object:
        with torch.inference_mode():
            return network(normalize(image[None], segmenter.config.normalization))

    return run


def fp32_masks(segmenter: Segmenter, image: NDArray[np.uint8]) -> Run:
    """PyTorch, eager, from the image to the class scores of patches: the transformer alone."""

    def run() -> object:
        with torch.inference_mode():
            return segmenter.masks(normalize(image[None], segmenter.config.normalization))

    return run


def onnx_fp32(segmenter: Segmenter, image: NDArray[np.uint8], folder: Path) -> Run:
    """ONNX Runtime on the FP32 network."""
    path = folder / "fp32.onnx"
    pixels = normalize(image[None], segmenter.config.normalization)
    torch.onnx.export(_Labels(segmenter), (pixels,), str(path), dynamo=False, opset_version=17)
    session = _session(path)
    feed = {session.get_inputs()[0].name: pixels.numpy()}
    return lambda: session.run(None, feed)


def onnx_integer(graph: Graph, image: NDArray[np.uint8], folder: Path) -> Run:
    """ONNX Runtime on the exported integer graph."""
    path = folder / "integer.onnx"
    export_onnx(graph, path)
    session = _session(path)
    return lambda: session.run(["labels"], {"image": image})


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


ENGINES = (
    "PyTorch FP32",
    "PyTorch FP32 masks",
    "ONNX Runtime FP32",
    "ONNX Runtime integer",
    "Intarsia integer",
)
"""All go from the image to labels but the second, which stops before the upsampling."""


def prepare(engine: str, size: str, folder: Path) -> Run:
    """`engine` on one 512x512 image of this size, ready to run."""
    segmenter, image = random_segmenter(size), generate(0, (512, 512)).image
    if engine == "PyTorch FP32":
        return fp32(segmenter, image)
    if engine == "PyTorch FP32 masks":
        return fp32_masks(segmenter, image)
    if engine == "ONNX Runtime FP32":
        return onnx_fp32(segmenter, image, folder)
    graph = quantize(segmenter, [image])
    if engine == "ONNX Runtime integer":
        return onnx_integer(graph, image, folder)
    executor = Executor(graph)
    return lambda: executor.run(image)


def seconds(run: Run) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(size: str, rounds: int) -> None:
    """Print the table of one size."""
    segmenter, image = random_segmenter(size), generate(0, (512, 512)).image
    threads = torch.get_num_threads()
    ptq = min(seconds(lambda: quantize(segmenter, [image])) for _ in range(2))
    print(f"\n{size}, 512x512, 150 classes, {threads} threads; PTQ with one image: {ptq:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        runs = {engine: prepare(engine, size, Path(folder)) for engine in ENGINES}
        for run in runs.values():
            run()
        best = dict.fromkeys(ENGINES, float("inf"))
        for _ in range(rounds):
            for engine, run in runs.items():
                best[engine] = min(best[engine], seconds(run))
        labels = {engine: np.squeeze(np.asarray(runs[engine]())) for engine in ENGINES[-2:]}
    first, second = labels.values()
    exact = np.array_equal(first, second)
    print(f"{'engine':<22}{'ms':>9}{'faster than PyTorch FP32':>27}{'peak MiB':>10}")
    for engine in ENGINES:
        ratio = best["PyTorch FP32"] / best[engine]
        print(f"{engine:<22}{best[engine] * 1e3:>9.1f}{ratio:>26.2f}x{peak(engine, size):>10}")
    print(f"labels of the two integer engines are equal: {exact}")


def peak(engine: str, size: str) -> str:
    """Peak resident MiB of a process that prepares `engine` and runs it three times."""
    command = [sys.executable, __file__, "--memory", engine, "--size", size]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", action="append", choices=("tiny", "small", "base", "large"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = options.size or ["tiny", "base"]
    if options.memory:
        with tempfile.TemporaryDirectory() as folder:
            run = prepare(options.memory, sizes[0], Path(folder))
            for _ in range(3):
                run()
        # Not getrusage: what that reports begins with the parent's peak.
        status = Path("/proc/self/status").read_text()
        print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
        return
    for size in sizes:
        measure(size, options.rounds)


if __name__ == "__main__":
    main()
