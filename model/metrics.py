"""Quality of a segmentation (confusion matrix, IoU, pixel accuracy) and of a classification (top-k)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.data.images import IGNORE
from intarsia.model.errors import InputError


class Confusion:
    """Pixels counted by true and predicted class; pixels whose truth is 255 do not count.

    counts: int64 [K, K], rows are the truth, columns the prediction. K is at most 255: the truth
    comes from datasets, whose labels are bytes and keep 255 for pixels to ignore.
    """

    def __init__(self, classes: int) -> None:
        if not 1 <= classes <= IGNORE:
            raise InputError(
                f"the number of classes must be 1 to {IGNORE} for a truth of bytes of which {IGNORE} "
                f"means ignore, not {classes}"
            )
        self.counts: NDArray[np.int64] = np.zeros((classes, classes), dtype=np.int64)

    def add(self, truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> None:
        """Count one label map: both of one shape, truth 0..K-1 or 255, prediction 0..K-1."""
        if truth.shape != prediction.shape:
            raise InputError(
                f"the prediction must have the truth's size {truth.shape}, not {prediction.shape}"
            )
        known = truth != IGNORE
        rows, columns = truth[known].astype(np.int64), prediction[known].astype(np.int64)
        classes = len(self.counts)
        for name, values in (("truth", rows), ("prediction", columns)):
            if values.size and (values.min() < 0 or values.max() >= classes):
                wrong = values.min() if values.min() < 0 else values.max()
                raise InputError(f"{name} must have labels 0 to {classes - 1}, not {wrong}")
        cells = np.bincount(rows * classes + columns, minlength=classes * classes)
        self.counts += cells.reshape(classes, classes)

    @property
    def iou(self) -> NDArray[np.float64]:
        """[K]: intersection over union; NaN for a class neither in the truth nor predicted."""
        hits = np.diagonal(self.counts)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits
        result = np.full(len(hits), np.nan)
        np.divide(hits, union, out=result, where=union > 0)
        return result

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that have one; NaN before any pixel was counted."""
        values = self.iou
        present = ~np.isnan(values)
        return float(values[present].mean()) if present.any() else float("nan")

    @property
    def pixel_accuracy(self) -> float:
        """Share of counted pixels that are right; NaN before any pixel was counted."""
        total = int(self.counts.sum())
        return int(np.trace(self.counts)) / total if total else float("nan")


class TopK:
    """Pictures counted by whether their class is among the k with the highest scores.

    Of equal scores the lower class is the higher one, as argmax has it.
    """

    KS = (1, 5)

    def __init__(self) -> None:
        self.images = 0
        self.hits = dict.fromkeys(self.KS, 0)

    def add(self, truth: int, scores: NDArray[Any]) -> None:
        """Count one picture: its class, and class scores [K]."""
        if not 0 <= truth < len(scores):
            raise InputError(f"the class must be in 0..{len(scores) - 1}, not {truth}")
        above = int((scores > scores[truth]).sum() + (scores[:truth] == scores[truth]).sum())
        self.images += 1
        for k in self.KS:
            self.hits[k] += above < k

    def share(self, k: int) -> float:
        """Of the pictures counted; NaN before any."""
        return self.hits[k] / self.images if self.images else float("nan")
