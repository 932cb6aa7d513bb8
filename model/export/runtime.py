"""An exported model in ONNX Runtime: the independent witness of the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from intarsia.model.integer.graph import IMAGE


def run_onnx(path: Path, image: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
    """The first output of a picture uint8 [H, W, 3] by ONNX Runtime on the CPU, such as its labels."""
    return next(iter(run_outputs(path, image).values()))


def run_outputs(path: Path, image: NDArray[np.uint8]) -> dict[str, NDArray[np.integer[Any]]]:
    """All outputs, by the names of their tensors."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {IMAGE: image}), strict=True))
