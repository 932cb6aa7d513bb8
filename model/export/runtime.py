"""An exported model in ONNX Runtime: the independent witness of the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from intarsia.model.integer.graph import IMAGE, LABELS


def run_onnx(path: Path, image: NDArray[np.uint8]) -> NDArray[np.unsignedinteger[Any]]:
    """Labels [H, W] of a picture uint8 [H, W, 3] by ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (labels,) = session.run([LABELS], {IMAGE: image})
    found: NDArray[np.unsignedinteger[Any]] = labels
    return found
