"""Random nodes of any operator, made of the inputs, constants and attributes that it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.bounds import I31
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Operator
from intarsia.model.integer.rules import BIAS, MULTIPLIER, SHIFT, Allowed, shape_of

NARROW = {MULTIPLIER: range(1 - 2**15, 2**15), BIAS: range(-(2**52), 2**52 + 1)}
"""What float64 holds all intermediates of: multipliers of 16 bits."""


@dataclass(frozen=True)
class Case:
    """A node with its inputs and constants, and the tensor that it makes."""

    node: Node
    inputs: list[NDArray[Any]]
    constants: dict[str, NDArray[Any]]
    made: Tensor

    @property
    def tensors(self) -> list[Tensor]:
        """The inputs without their values."""
        named = zip(self.node.inputs, self.inputs, strict=True)
        return [Tensor(name, array.shape, array.dtype.name) for name, array in named]


def cases(operator: Operator, count: int, *, narrow: bool = False, most: int = 4096) -> Iterator[Case]:
    """`count` random nodes, and where there are such one at each end of each attribute's range.

    narrow: with NARROW ranges;  most: elements of an input, and of the output
    """
    rng = np.random.default_rng(crc32(operator.name.encode()))
    ends: list[dict[str, int | str]] = [{} for _ in range(count)]
    for key, allowed in operator.attributes.items():
        values = _narrowed(allowed, narrow)
        ends += [{key: end} for end in (values if isinstance(values, tuple) else (values[0], values[-1]))]
    for fixed in ends:
        # Some attributes are sizes, which may not fit together, or be too large.
        tries = (_case(operator, rng, fixed, narrow, most) for _ in range(3000))
        if case := next((case for case in tries if case), None):
            yield case


def _case(
    operator: Operator, rng: np.random.Generator, fixed: dict[str, int | str], narrow: bool, most: int
) -> Case | None:
    attributes = {key: _value(_narrowed(a, narrow), rng) for key, a in operator.attributes.items()} | fixed
    for key, allowed in operator.attributes.items():
        # A shift that fits its multiplier: otherwise most outputs are 0 or at an end.
        multiplier = attributes.get(key.replace("c", "b"))
        if allowed == SHIFT and key not in fixed and isinstance(multiplier, int) and rng.random() < 0.6:
            attributes[key] = min(63, multiplier.bit_length() + int(rng.integers(0, 20)))
    roles = [role for role, c in operator.constants.items() if not c.optional or rng.random() < 0.5]
    inputs = [what for what in operator.inputs if what.instead not in roles]
    sizes = {key: value for key, value in attributes.items() if isinstance(value, int)}
    for axes in [what.axes for what in inputs] + [operator.constants[role].axes for role in roles]:
        for factor in axes.replace("*", " ").split():
            if not factor.isdecimal() and factor not in sizes:
                sizes[factor] = int(rng.integers(1, 13))
    shapes = {role: shape_of(operator.constants[role].axes, sizes) for role in roles}
    shapes_of_inputs = [shape_of(what.axes, sizes) for what in inputs]
    if not all(0 < prod(shape) <= most for shape in shapes_of_inputs):
        return None
    tensors = [
        Tensor(f"x{i}", shape, what.dtypes[rng.integers(len(what.dtypes))])
        for i, (what, shape) in enumerate(zip(inputs, shapes_of_inputs, strict=True))
    ]
    names = tuple(tensor.name for tensor in tensors)
    node = Node("result", operator.name, names, {role: role for role in roles}, attributes)
    try:
        made = operator.made(node, tensors, shapes)
    except InputError:
        return None
    constants = {}
    for role in roles:
        what = operator.constants[role]
        values = None if what.values is None else _narrowed(what.values, narrow)
        constants[role] = _array(shapes[role], what.dtype, values, rng)
    if prod(made.shape) > most or operator.reach(node, tensors, constants, {}) > I31:
        return None
    arrays = [_array(tensor.shape, tensor.dtype, None, rng) for tensor in tensors]
    return Case(node, arrays, constants, made)


def _narrowed(allowed: Any, narrow: bool) -> Any:
    return NARROW.get(allowed, allowed) if narrow else allowed


def _value(allowed: Allowed, rng: np.random.Generator) -> int | str:
    """One of the values; of a range small ones, large ones and the ends are as likely."""
    if isinstance(allowed, tuple):
        return allowed[rng.integers(len(allowed))]
    if rng.random() < 0.2:
        return allowed[0 if rng.random() < 0.5 else -1]
    least = max(allowed[0], 0)
    size = int(2 ** rng.uniform(0, np.log2(allowed[-1] - least + 1))) - 1
    return -size if allowed[0] < 0 and rng.random() < 0.5 else least + size


def _array(
    shape: tuple[int, ...], dtype: str, allowed: range | None, rng: np.random.Generator
) -> NDArray[Any]:
    """Random elements; in some arrays all are small, in some many are at the ends of the range."""
    info = np.iinfo(dtype)
    low, high = (info.min, info.max) if allowed is None else (allowed[0], allowed[-1])
    kind = rng.random()
    if kind < 0.4:
        part = 2.0 ** -rng.uniform(0, np.log2(high))
        low, high = int(low * part), int(high * part)
    array = rng.integers(low, high, shape, dtype, endpoint=True)
    if kind > 0.7:
        chosen = rng.random(shape)
        array = np.where(chosen < 0.3, low, np.where(chosen > 0.7, high, array)).astype(dtype)
    return array
