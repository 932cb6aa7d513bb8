"""Reduction of many lanes to one value in a fixed number of cycles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

TREE_STAGES = 4
"""Registers from the leaves to the root, whatever the number of leaves."""
MAX_LEAVES = 4**TREE_STAGES


def add(a: Value, b: Value) -> Value:
    """The sum, one bit wider."""
    return a + b


def maximum(a: Value, b: Value) -> Value:
    """The larger of two values of one shape."""
    return Mux(less(a, b), b, a)


def less(a: Value, b: Value) -> Value:
    """a < b, by the sign of their difference: one carry chain, where Yosys makes a signed comparison
    nearly twice as slow."""
    return (a - b)[-1]


class Tree(wiring.Component):
    """combine(... combine(leaf 0, leaf 1) ..., leaf n-1) as a balanced tree.

    Parameters
    ----------
    leaves : 1..256, a power of two
    shape : of a leaf, with the sign that `combine` wants
    combine : `add` or `maximum`

    Members
    -------
    leaf : In(shape).array(leaves)
    root : Out, of the shape that `combine` gives

    Timing: latency TREE_STAGES = 4, two levels per stage, one reduction per cycle.
    """

    def __init__(self, *, leaves: int, shape: Shape, combine: Callable[[Value, Value], Value]) -> None:
        if not 1 <= leaves <= MAX_LEAVES or leaves & (leaves - 1):
            raise ValueError(f"leaves must be a power of two in 1..{MAX_LEAVES}, not {leaves}")
        self.leaves, self.combine = leaves, combine
        levels = leaves.bit_length() - 1
        width = shape.width + (levels if combine is add else 0)
        super().__init__({"leaf": In(shape).array(leaves), "root": Out(Shape(width, signed=shape.signed))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        values: list[Value] = [self.leaf[k] for k in range(self.leaves)]
        for stage in range(TREE_STAGES):
            for _ in range(2):
                if len(values) > 1:
                    values = [self.combine(*values[k : k + 2]) for k in range(0, len(values), 2)]
            registers = [Signal(v.shape(), name=f"stage{stage}_{k}") for k, v in enumerate(values)]
            m.d.sync += [register.eq(v) for register, v in zip(registers, values, strict=True)]
            values = list(registers)
        m.d.comb += self.root.eq(values[0])
        return m
