"""Arrays in the layouts that the kernels are compiled for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def writable(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous array that may be written to."""
    # A kernel is compiled once more for read-only arrays; a copy is cheaper.
    return np.ascontiguousarray(array) if array.flags.writeable else array.copy()


def whole(array: NDArray[Any]) -> NDArray[Any]:
    """Contiguous from its first element."""
    return np.ascontiguousarray(array)


def as_rows(array: NDArray[Any]) -> NDArray[Any]:
    """The rows of a tensor of any rank as one matrix."""
    return whole(array.reshape(-1, array.shape[-1]))
