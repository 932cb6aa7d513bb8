"""Real numbers to integers: scales, quantized arrays and dyadic multipliers, refused by name.

Everything that could overflow or that no dyadic number can express is refused here and in
`Operator.lower`, offline, so that nothing has to be checked during inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.constants import dyadic
from intarsia.model.integer.graph import QuantizeOptions, Tensor

Array = NDArray[Any]

MIN_SCALE = 2.0**-23


@dataclass(frozen=True)
class Lowered:
    """Integer arrays and attributes of one node, and what 1 stands for in its output (None: nothing)."""

    constants: dict[str, Array]
    attributes: dict[str, int | str]
    scale: float | None


def scale_of(magnitude: float, bits: int) -> float:
    """S of values up to `magnitude` in `bits` bits (paper Eq. 1-4, with 2^(k-1)-1 levels)."""
    return max(magnitude / (2 ** (bits - 1) - 1), MIN_SCALE)


def scale_in(tensor: Tensor) -> float:
    """S of a tensor that has one."""
    assert tensor.scale is not None, f"{tensor.name} has no scale"
    return tensor.scale


def magnitude(values: Array) -> float:
    """The largest of |values|."""
    return max(-float(values.min()), float(values.max()))


def quantize(values: ArrayLike, scale: float | Array, bits: int) -> Array:
    """sat(RHE(values / scale)) as an integer array of `bits` bits.

    Of an array that is one number throughout, without memory of its own, so is the result.
    """
    array = np.asarray(values)
    if array.size > 1 and not any(array.strides):
        return np.broadcast_to(quantize(array.flat[0], scale, bits), array.shape)
    top = 2 ** (bits - 1) - 1
    integers = np.clip(np.rint(array.astype(np.float64) / scale), -top - 1, top)
    return integers.astype(f"int{bits}")


def multipliers(name: str, ratio: Any, options: QuantizeOptions) -> tuple[Array, Array]:
    """b int32 and c int8 of one ratio per channel."""
    try:
        b, c = dyadic(ratio, options.multiplier_bits)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    return np.asarray(b, np.int32), np.asarray(c, np.int8)


def scalar(name: str, ratio: float, options: QuantizeOptions) -> dict[str, int | str]:
    """The attributes b and c of one ratio."""
    b, c = multipliers(name, ratio, options)
    return {"b": int(b), "c": int(c)}
