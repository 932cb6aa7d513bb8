"""How well a model segments or classifies a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from intarsia.model.data.class_folders import ClassFolders, cropped
from intarsia.model.data.dataset import Dataset
from intarsia.model.errors import InputError
from intarsia.model.metrics import Confusion, TopK
from intarsia.model.predict import Classifier, Predictor


@dataclass
class Evaluation:
    """Running result over the examples seen so far."""

    classes: tuple[str, ...]
    confusion: Confusion = field(init=False)
    images: int = 0

    def __post_init__(self) -> None:
        self.confusion = Confusion(len(self.classes))

    def report(self) -> dict[str, Any]:
        """mIoU, pixel accuracy and IoU per class, as plain values (NaN: the class is absent)."""
        per_class = self.confusion.iou
        return {
            "images": self.images,
            "miou": self.confusion.miou,
            "pixel_accuracy": self.confusion.pixel_accuracy,
            "iou": {name: float(v) for name, v in zip(self.classes, per_class, strict=True)},
            "confusion": self.confusion.counts.tolist(),
        }


def evaluate(predictor: Predictor, dataset: Dataset) -> Iterator[Evaluation]:
    """Segments one example after the other; yields the same, growing result after each."""
    if predictor.config.classes != len(dataset.classes):
        raise InputError(
            f"the model must have {len(dataset.classes)} classes, as the dataset has, "
            f"not {predictor.config.classes}"
        )
    result = Evaluation(dataset.classes)
    for example in dataset:
        result.confusion.add(example.label, predictor.segment(example.image))
        result.images += 1
        yield result


def classify(classifier: Classifier, examples: ClassFolders) -> Iterator[TopK]:
    """Classifies one picture after the other; yields the same, growing result after each."""
    wanted, found = classifier.config.classes, len(examples.classes)
    if wanted != found:
        raise InputError(f"the dataset must have the {wanted} classes of the model, not {found} folders")
    result = TopK()
    for example in examples:
        result.add(example.label, classifier.scores(cropped(example.image, classifier.config.image)))
        yield result
