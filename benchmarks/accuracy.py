"""mIoU of the shipped Segmenter in FP32 and after PTQ, and what agrees with what.

    .venv/bin/python benchmarks/accuracy.py [--images 200]

Per form of GELU, with 1 and with 100 calibration images: mIoU on unseen scenes; then the share of
equal values per tensor between the fake-quantized PyTorch model and the integer executor.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data.calibration import calibration_images
from intarsia.model.data.dataset import Scenes
from intarsia.model.evaluate import evaluate
from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import LABELS, MASKS, Graph, QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter
from intarsia.model.networks.segmenter.checkpoint import load_checkpoint
from intarsia.model.predict import DEFAULT_CHECKPOINT, FloatPredictor, IntegerPredictor, Predictor
from intarsia.model.quantize.fake import FakeQuant
from intarsia.model.quantize.ptq import calibrate

CALIBRATION = (1, 100)


def miou(predictor: Predictor, scenes: Scenes) -> float:
    """Mean IoU over all scenes."""
    *_, last = evaluate(predictor, scenes)
    return last.confusion.miou


def forms(segmenter: Segmenter, scenes: Scenes) -> None:
    """Print mIoU per number of calibration images, GELU form and width of the probabilities."""
    print(f"FP32, bilinear upsampling: {miou(FloatPredictor(segmenter), scenes):.2%}")
    nearest = Segmenter(segmenter.config.integer())
    nearest.load_state_dict(segmenter.state_dict())
    print(f"FP32, nearest upsampling:  {miou(FloatPredictor(nearest), scenes):.2%}")
    for count in CALIBRATION:
        ranges = calibrate(segmenter, calibration_images(segmenter.config, None, count)).ranges
        for form in GELU_FORMS:
            for bits in (16, 8):
                fake = FakeQuant(segmenter, QuantizeOptions(gelu=form, softmax_bits=bits))
                fake.ranges = ranges
                value = miou(IntegerPredictor(Executor(fake.graph())), scenes)
                print(f"PTQ, {count:>3} images, {form:<17} softmax {bits:>2} bits: {value:.2%}")


def agreement(segmenter: Segmenter, images: Sequence[NDArray[np.uint8]]) -> None:
    """Print how the fake-quantized model and the executor agree, tensor by tensor."""
    fake = calibrate(segmenter, calibration_images(segmenter.config, None, 1))
    graph: Graph = fake.graph()
    executor = Executor(graph)
    values: dict[str, int] = defaultdict(int)
    equal: dict[str, int] = defaultdict(int)
    largest = 0
    labels = [0, 0]
    for image in images:
        simulated = fake.integers(image[None])
        for name, array in executor.tensors(image):
            if name in simulated:
                difference = np.abs(simulated[name][0].numpy() - array)
                values[name] += array.size
                equal[name] += int((difference == 0).sum())
                largest = max(largest, int(difference.max()))
            if name == LABELS:
                rows, columns = graph.config.grid
                grid = simulated[MASKS][0].argmax(dim=-1).numpy().reshape(rows, columns)
                patch = graph.config.patch
                wanted = grid.repeat(patch, 0).repeat(patch, 1)[: array.shape[0], : array.shape[1]]
                labels[0] += int((wanted == array).sum())
                labels[1] += array.size
    shares = {name: equal[name] / values[name] for name in values}
    worst = min(shares, key=lambda name: shares[name])
    print(
        f"fake-quantized and integer, {len(images)} scenes, {len(shares)} tensors, "
        f"{sum(values.values())} values: "
        f"lowest share of equal values {shares[worst]:.6%} ({worst}), largest difference {largest}, "
        f"labels equal {labels[0] / labels[1]:.4%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    options = parser.parse_args()
    segmenter = load_checkpoint(DEFAULT_CHECKPOINT)
    scenes = Scenes("val", segmenter.config.image, options.images)
    agreement(segmenter, [scenes[i].image for i in range(min(10, len(scenes)))])
    forms(segmenter, scenes)


if __name__ == "__main__":
    main()
