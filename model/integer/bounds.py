"""How far an int32 accumulator can go: what the quantizer refuses, and the reader of an artifact too.

Because of it neither the kernels nor the hardware look for an overflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError

I31 = 2**31 - 1
INT8 = 128
"""Largest magnitude of an int8."""


def linear_reach(weight: NDArray[Any], bias: NDArray[Any] | None) -> NDArray[np.float64]:
    """Largest |accumulator| of every row of int8 weights [N, K] with a bias [N] of whole numbers."""
    reach = np.abs(weight.astype(np.int64)).sum(axis=1) * float(INT8)
    return reach if bias is None else reach + np.abs(np.asarray(bias, np.float64))


def product_reach(depth: int) -> int:
    """Largest |accumulator| of a product of two int8 tensors over `depth` channels."""
    return depth * INT8 * INT8


def mix_reach(row: int) -> int:
    """Largest |accumulator| of probabilities of which a row sums to at most `row`, times int8 values."""
    return row * INT8


def shiftmax_row(tokens: int, *, i0: int, n: int, reciprocal_bits: int, out_bits: int) -> int:
    """Bound of the sum of a row of `tokens` probabilities.

    While the sum of exponentials fits 31 bits the reciprocal keeps the row at or below 2^15.
    Where it saturates, each of at most i0 * 2^n is multiplied by the least reciprocal.
    """
    reciprocal = (2**reciprocal_bits - 1) // I31
    saturated = (tokens * (i0 << n) * reciprocal) >> (reciprocal_bits - 15)
    row = min(tokens * 32767, max(2**15, saturated))
    return row if out_bits == 16 else row >> 8


def check_accumulator(name: str, reach: float) -> None:
    """Refuse the node `name` where its accumulator may leave -I31..I31."""
    if reach > I31:
        raise InputError(
            f"{name}: the int32 accumulator could reach {reach:.0f}; it must stay within {I31}"
        )
