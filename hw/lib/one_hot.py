"""One-hot muxes: of their bits at most one is set, so two levels of gates do, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Mux, Value


def first_of(bits: Value) -> Value:
    """Of these bits the lowest that is set, and no other."""
    return Cat(bit & ~bits[:k].any() if k else bit for k, bit in enumerate(bits))


def of_one(ones: Iterable[Any], values: Iterable[Any]) -> Value:
    """The value that belongs to the one that is set; without one, 0."""
    return reduce(or_, (Mux(bit, value, 0) for bit, value in zip(ones, values, strict=True)))
