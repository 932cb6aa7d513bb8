"""One way to use a FP32 checkpoint or an integer artifact: segment pictures, or classify them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.model.data.images import normalize
from intarsia.model.data.windows import Placement, published, segment
from intarsia.model.errors import InputError
from intarsia.model.integer.artifact import SUFFIX, load_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.networks import find
from intarsia.model.networks.checkpoint import load_model
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.networks.vit.config import ViTConfig
from intarsia.model.networks.vit.vit import ViT

ZOO = Path(__file__).parent / "zoo"
DEFAULT_CHECKPOINT = ZOO / "scenes.safetensors"
DEFAULT_ARTIFACT = ZOO / "scenes.intarsia"
"""The shipped Segmenter for generated scenes, in FP32 and in integers."""
PREDICTED = "segmentation or classification"
"""Tasks that have something to be evaluated against."""


class Predictor(Protocol):
    """A model that labels pictures of any size."""

    config: SegmenterConfig
    kind: str

    def segment(self, image: NDArray[np.uint8]) -> NDArray[np.unsignedinteger[Any]]:
        """Labels [H, W] of a picture uint8 [H, W, 3]."""


class Classifier(Protocol):
    """A model that classifies pictures of its window's size."""

    config: ViTConfig
    kind: str

    def scores(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Class scores [K] of a window uint8 [H, W, 3]."""


class FloatPredictor:
    """A FP32 Segmenter: scores averaged over windows, interpolated bilinearly."""

    kind = "fp32"

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter, self.config = segmenter.eval(), segmenter.config

    def segment(self, image: NDArray[np.uint8]) -> NDArray[np.unsignedinteger[Any]]:
        return segment(image, self._scores, smallest=self.config.patch, **placement(self.config))

    @torch.inference_mode()
    def _scores(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.segmenter(normalize(pictures, self.config.normalization)).numpy()


class IntegerPredictor:
    """The integer executor of a Segmenter: scores summed over windows, labels from the nearest pixel."""

    kind = "integer"

    def __init__(self, executor: Executor) -> None:
        config = executor.graph.config
        if not isinstance(config, SegmenterConfig):
            raise _not("segmentation", executor.graph.network)
        self.executor, self.config = executor, config

    def segment(self, image: NDArray[np.uint8]) -> NDArray[np.unsignedinteger[Any]]:
        if image.shape[:2] == self.config.image:
            return self.executor.run(image)  # one window: what follows would give the same
        return segment(image, self._scores, smallest=self.config.patch, **placement(self.config))

    def _scores(self, pictures: NDArray[np.uint8]) -> NDArray[np.int16]:
        return np.stack([self.executor.scores(picture) for picture in pictures])


class FloatClassifier:
    """A FP32 ViT."""

    kind = "fp32"

    def __init__(self, model: ViT) -> None:
        self.model, self.config = model.eval(), model.config

    @torch.inference_mode()
    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.model(normalize(image[None], self.config.normalization))[0].numpy()


class IntegerClassifier:
    """The integer executor of a ViT: scores int16."""

    kind = "integer"

    def __init__(self, executor: Executor) -> None:
        config = executor.graph.config
        if not isinstance(config, ViTConfig):
            raise _not("classification", executor.graph.network)
        self.executor, self.config = executor, config

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.int16]:
        (output,) = self.executor.outputs(image).values()
        return output[0]


def placement(config: SegmenterConfig) -> Placement:
    """Where the windows lie: as published for the model's dataset."""
    return published(config.dataset or "ade20k", config.image)


def load_executor(path: Path) -> Executor:
    """The integer model of an artifact; other files are refused."""
    if Path(path).suffix.lower() != SUFFIX:
        raise InputError(f"an integer model must be a file that ends in {SUFFIX}, not {path}")
    return Executor(load_artifact(path))


def load_predictor(path: Path, say: Callable[[str], None] | None = None) -> Predictor | Classifier:
    """The model of a file: an artifact by its suffix, a FP32 checkpoint otherwise.

    say: takes a line on what of a checkpoint was taken, see `load_model`.
    """
    if Path(path).suffix.lower() == SUFFIX:
        executor = load_executor(path)
        if isinstance(executor.graph.config, ViTConfig):
            return IntegerClassifier(executor)
        if not isinstance(executor.graph.config, SegmenterConfig):
            raise _not(PREDICTED, executor.graph.network)
        return IntegerPredictor(executor)
    model = load_model(path, say=say)
    if isinstance(model, ViT):
        return FloatClassifier(model)
    if not isinstance(model, Segmenter):
        raise _not(PREDICTED, model.config.network)
    return FloatPredictor(model)


def _not(wanted: str, network: str) -> InputError:
    return InputError(f"the task of the model must be {wanted}, not {find(network).task} ({network})")
