"""Pictures of results: loss curve and confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from intarsia.model.files import replacing
from intarsia.model.kinds import CHART


def loss_curve(losses: Sequence[float], path: Path) -> None:
    """Loss of every step and its moving mean, `moving_mean`."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color="0.8", linewidth=0.7, label="step")
    span, mean = moving_mean(losses)
    axes.plot(steps[span - 1 :], mean, color="tab:blue", label=f"mean of {span}: {mean[-1]:.3f} at the end")
    axes.set(xlabel="step", ylabel="cross entropy", ylim=(0, None))
    axes.legend()
    _save(figure, path)


def moving_mean(losses: Sequence[float]) -> tuple[int, NDArray[np.float64]]:
    """A span of a fiftieth of the steps, and the means of so many losses: the last is the final loss."""
    span = max(1, len(losses) // 50)
    return span, np.convolve(losses, np.ones(span) / span, mode="valid")


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """Share of each true class (row) that was given each class (column)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.4 * min(len(classes), 60)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    size = 8 if len(classes) <= 60 else 4
    axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=size)
    axes.set_yticks(range(len(classes)), classes, fontsize=size)
    axes.set(xlabel="predicted", ylabel="true")
    if len(classes) <= 20:
        for (row, column), value in np.ndenumerate(share):
            if value >= 0.005:
                colour = "white" if value > 0.5 else "black"
                text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7}
                axes.text(column, row, f"{100 * value:.0f}", color=colour, **text)
    figure.colorbar(picture, shrink=0.7, label="share of the true class")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path, CHART) as temporary:
        figure.savefig(temporary, dpi=120)
