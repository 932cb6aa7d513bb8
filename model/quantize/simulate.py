"""The integer operators in torch float64: differentiable models run on any device.

Integers up to 2^53 are exact in float64, which covers every intermediate with multipliers of 16
bits; with more, a product may lose its last bits and a value may differ by one. This is a
second, independent writing of the contract; tests hold it against the executor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from intarsia.model.integer.constants import GELU_FORMS
from intarsia.model.integer.graph import Node

I31 = 2.0**31 - 1
Simulated = Callable[[Node, Sequence[Tensor], Mapping[str, Tensor]], Tensor]


def _saturate(v: Tensor, bits: int) -> Tensor:
    return v.clamp(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


def _scaled(x: Tensor, b: Tensor | int, c: Tensor | int) -> Tensor:
    """RHE(x * b / 2^c)."""
    two = torch.tensor(2.0, dtype=torch.float64, device=x.device)
    return torch.round(x * b * two ** (-c))


def _product(x: Tensor, y: Tensor, largest: float) -> Tensor:
    """x @ y, exact: in float32 where no partial sum can pass 2^24."""
    dtype = torch.float32 if largest < 2**24 else torch.float64
    return (x.to(dtype) @ y.to(dtype)).to(torch.float64)


def _pixels(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    image, table, patch = inputs[0].long(), constants["table"], node.integer("patch")
    values = torch.stack([table[c][image[..., c]] for c in range(3)], dim=-1)
    _, height, width, _ = values.shape
    values = F.pad(values, (0, 0, 0, -width % patch, 0, -height % patch))
    tiles = values.unfold(1, patch, patch).unfold(2, patch, patch)  # [B, h, w, 3, P, P]
    return tiles.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(1, 2).to(torch.float64)


def _linear(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    weight = constants["weight"]
    acc = _product(inputs[0], weight.T, weight.shape[1] * 2.0**14)
    if "bias" in constants:
        acc = acc + constants["bias"]
    b, c = (constants[key].to(torch.float64) for key in ("b", "c"))
    return _saturate(_scaled(acc, b, c), node.integer("out_bits"))


def _requantized(node: Node, acc: Tensor) -> Tensor:
    b, c = node.integer("b"), node.integer("c")
    return _saturate(_scaled(acc, b, c), node.integer("out_bits"))


def _matmul(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    x, y = inputs
    return _requantized(node, _product(x, y.transpose(-2, -1), x.shape[-1] * 2.0**14))


def _heads(qkv: Tensor, node: Node) -> Tensor:
    """[B, T, 3D] to [3, B, H, T, d]."""
    return qkv.unflatten(2, (3, node.integer("heads"), -1)).permute(2, 0, 3, 1, 4)


def _scores(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    q, k, _ = _heads(inputs[0], node)
    return _requantized(node, _product(q, k.transpose(-2, -1), q.shape[-1] * 2.0**14))


def _mix(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    probabilities, qkv = inputs
    largest = float(probabilities.sum(dim=-1).max()) * 128
    acc = _product(probabilities, _heads(qkv, node)[2], largest)
    return _requantized(node, acc.transpose(1, 2).flatten(2))


def _shift_exp(d: Tensor, i0: int, n: int, lam: int | None) -> Tensor:
    p = d + torch.floor(d / 2) - torch.floor(d / 16)
    if lam is not None:
        p = p.clamp(min=-lam * n * i0)
    q = torch.floor(-p / i0)
    e = torch.floor(((p + q * i0) / 2 + i0) * 2.0 ** (n - q))
    return torch.where(q < 0, e.clamp(max=I31), e)


def _shiftmax(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    (x,), bits = inputs, node.integer("reciprocal_bits")
    d = x - x.amax(dim=-1, keepdim=True)
    e = _shift_exp(d, node.integer("i0"), node.integer("n"), 1)
    s = e.sum(dim=-1, keepdim=True).clamp(1, I31)
    f = torch.floor((2.0**bits - 1) / s)
    p = torch.floor(e * f / 2.0 ** (bits - 15)).clamp(max=32767)
    return p if node.integer("out_bits") == 16 else torch.floor(p / 256)


def _gelu(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    (x,), form, i0 = inputs, str(node.attributes["form"]), node.integer("i0")
    n, lam = GELU_FORMS[form]
    i_p = x
    if form == "lambda-shift":
        i_p = x + torch.floor(x / 2) + torch.floor(x / 8) + torch.floor(x / 16)
    m = i_p.clamp(min=0) if form == "lambda-shift-elem" else i_p.amax(dim=-1, keepdim=True)
    e1 = _shift_exp(i_p - m, i0, n, lam)
    s = (e1 + _shift_exp(-m, i0, n, lam)).clamp(max=I31)
    sig = torch.floor(e1 * torch.floor(I31 / s.clamp(min=1)) / 2.0**24).clamp(max=127)
    by_sign = torch.where(x > 0, 127.0, torch.where(x < 0, 0.0, 64.0)).to(x.dtype)
    return _requantized(node, x * torch.where(s == 0, by_sign, sig))


def _layernorm(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    (x,) = inputs
    y = x - torch.round(x.sum(dim=-1, keepdim=True) / x.shape[-1])
    s = torch.floor((y * y).sum(dim=-1, keepdim=True).sqrt()).clamp(min=1)
    z = torch.floor(y * torch.floor(I31 / s) / 2)
    v = z * constants["b"] + constants["B"]
    return _saturate(torch.round(v / 2.0 ** node.integer("c")), node.integer("out_bits"))


def _residual(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    x, identity = (*inputs, constants["identity"]) if len(inputs) == 1 else inputs
    b1, c1, b2, c2 = (node.integer(key) for key in ("b1", "c1", "b2", "c2"))
    return _saturate(_scaled(x, b1, c1) + _scaled(identity.to(x.dtype), b2, c2), 16)


def _prepend(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    rows = constants["rows"].to(torch.float64).expand(len(inputs[0]), -1, -1)
    return torch.cat([rows, inputs[0]], dim=1)


def _append(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    rows = constants["rows"].to(torch.float64).expand(len(inputs[0]), -1, -1)
    return torch.cat([inputs[0], rows], dim=1)


def _rows(node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Tensor]) -> Tensor:
    return inputs[0][:, node.integer("start") : node.integer("stop")]


SIMULATE: dict[str, Simulated] = {
    "pixels": _pixels,
    "linear": _linear,
    "matmul": _matmul,
    "scores": _scores,
    "shiftmax": _shiftmax,
    "mix": _mix,
    "layernorm": _layernorm,
    "gelu": _gelu,
    "residual": _residual,
    "prepend": _prepend,
    "append": _append,
    "rows": _rows,
}
"""Operator of every kind of node up to the masks, on batches."""
