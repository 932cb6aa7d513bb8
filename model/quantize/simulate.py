"""The integer arithmetic in torch float64: differentiable models run on any device.

Integers up to 2^53 are exact in float64, which covers every intermediate with multipliers of 16
bits; with more, a product may lose its last bits and a value may differ by one. This is a
second, independent writing of the contract; `Operator.simulate` is made of it, and tests hold it
against the reference.
"""

from __future__ import annotations

import torch
from torch import Tensor

from intarsia.model.integer.graph import Node

I31 = 2.0**31 - 1


def saturate(v: Tensor, bits: int) -> Tensor:
    """v within `bits` bits with sign."""
    return v.clamp(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


def scaled(x: Tensor, b: Tensor | int, c: Tensor | int) -> Tensor:
    """RHE(x * b / 2^c)."""
    two = torch.tensor(2.0, dtype=torch.float64, device=x.device)
    return torch.round(x * b * two ** (-c))


def requantized(node: Node, acc: Tensor) -> Tensor:
    """An accumulator by the scalars b, c of the node, to its `out_bits`."""
    return saturate(scaled(acc, node.integer("b"), node.integer("c")), node.integer("out_bits"))


def product(x: Tensor, y: Tensor, largest: float) -> Tensor:
    """x @ y, exact: in float32 where no partial sum can pass 2^24, which is said by `largest`."""
    dtype = torch.float32 if largest < 2**24 else torch.float64
    return (x.to(dtype) @ y.to(dtype)).to(torch.float64)


def heads(qkv: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """qkv [B, T, 3*H*D] to q, k, v, each [B, H, T, D]; integers or real numbers."""
    q, k, v = qkv.unflatten(2, (3, count, -1)).permute(2, 0, 3, 1, 4)
    return q, k, v


def shift_exp(d: Tensor, i0: int, n: int, lam: int | None) -> Tensor:
    """ShiftExp of integers d, see `arithmetic.shift_exp`."""
    p = d + torch.floor(d / 2) - torch.floor(d / 16)
    if lam is not None:
        p = p.clamp(min=-lam * n * i0)
    q = torch.floor(-p / i0)
    e = torch.floor(((p + q * i0) / 2 + i0) * 2.0 ** (n - q))
    return torch.where(q < 0, e.clamp(max=I31), e)
