"""How an operator declares what it takes: axes, types and ranges of inputs, constants and attributes.

An axis is a product of integers, of attributes and of names: `3*heads*D`. A name stands for one size
wherever the operator uses it, so that the sizes of the inputs say what the constants must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from intarsia.model.errors import InputError
from intarsia.model.integer.constants import MAX_BIAS, MAX_SHIFT

Shape = tuple[int, ...]
Sizes = dict[str, int]
"""Sizes by the names of axes, with the attributes that are integers."""

Allowed = range | tuple[int | str, ...]
"""Values of an attribute or of the elements of a constant: a range of integers, or some values."""

MAX_SIDE = 65535
"""Pixels of a picture, down and across."""

MULTIPLIER = range(1 - 2**31, 2**31)
SHIFT = range(MAX_SHIFT + 1)
BIAS = range(-MAX_BIAS, MAX_BIAS + 1)
SIDE = range(1, MAX_SIDE + 1)
PATCH = range(1, 1025)
ROW = range(2**31)
HEADS = range(1, 2**16)
SCALE: Mapping[str, Allowed] = {"b": MULTIPLIER, "c": SHIFT}
"""The dyadic number that an accumulator is multiplied by."""


@dataclass(frozen=True)
class Input:
    """A tensor that a node reads: its axes and the integer types that it may have.

    instead: the constant that may take its place; empty: none.
    """

    axes: str
    dtypes: tuple[str, ...]
    instead: str = ""

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.axes.split())


@dataclass(frozen=True)
class Constant:
    """An array of a node: its axes, its type, the range of its elements."""

    axes: str
    dtype: str
    values: range | None = None
    optional: bool = False

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.axes.split())


def allows(allowed: Allowed, value: object) -> bool:
    """Whether `value` is among the allowed ones; a bool or a whole float is no integer."""
    # A range looks through all its integers for a text.
    return type(value) in ((int,) if isinstance(allowed, range) else (int, str)) and value in allowed


def in_words(allowed: Allowed) -> str:
    """The allowed values as a message says them."""
    if isinstance(allowed, range):
        return f"an integer in {allowed.start}..{allowed.stop - 1}"
    return " or ".join(str(value) for value in allowed)


def shape_of(axes: str, sizes: Mapping[str, int]) -> Shape:
    """The shape of `axes`, whose names all have sizes; a sum of products is possible too: `T+R`."""
    return tuple(
        sum(prod(_factor(factor, sizes) for factor in term.split("*")) for term in axis.split("+"))
        for axis in axes.split()
    )


def fit(what: str, axes: str, shape: Shape, sizes: Sizes) -> None:
    """Hold a shape with as many axes against `axes`; a name without a size gets one.

    `what` is said to have the wrong shape where it does not fit: InputError.
    """
    for axis, size in zip(axes.split(), shape, strict=True):
        factors = axis.split("*")
        known = prod(_factor(factor, sizes) for factor in factors if _known(factor, sizes))
        free = [factor for factor in factors if not _known(factor, sizes)]
        if size % known or (not free and size != known):
            wanted = ", ".join(_in_words(axis, sizes) for axis in axes.split())
            raise InputError(f"{what} must have the shape [{wanted}], not {list(shape)}")
        if free:
            (name,) = free
            sizes[name] = size // known


def _known(factor: str, sizes: Mapping[str, int]) -> bool:
    return factor.isdecimal() or factor in sizes


def _factor(factor: str, sizes: Mapping[str, int]) -> int:
    return int(factor) if factor.isdecimal() else sizes[factor]


def _in_words(axis: str, sizes: Mapping[str, int]) -> str:
    """The axis as a number, or as a multiple of one."""
    factors = axis.split("*")
    known = [_factor(factor, sizes) for factor in factors if _known(factor, sizes)]
    free = [factor for factor in factors if not _known(factor, sizes)]
    return "*".join([str(prod(known))] * bool(known) + free)
