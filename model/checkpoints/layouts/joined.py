"""Queries, keys and values that a layout keeps apart, as one matrix."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from intarsia.model.checkpoints.tensors import State, checked
from intarsia.model.errors import InputError

_APART = re.compile(r"(.*)\.attn\.([qkv])\.(weight|bias)")


def join_qkv(state: State, source: Path) -> State:
    """`X.attn.q`, `.k`, `.v` as `X.attn.qkv`: rows of q, then k, then v. A bias that one lacks is zeros.

    Raises InputError where a matrix is missing or has another shape than the other two.
    """
    found: dict[str, dict[str, torch.Tensor]] = {}
    joined: State = {}
    for name, value in state.items():
        if apart := _APART.fullmatch(name):
            found.setdefault(f"{apart[1]}.attn", {})[f"{apart[2]}.{apart[3]}"] = checked(
                name, value, source
            )
        else:
            joined[name] = value
    for name, parts in found.items():
        weights = [parts.get(f"{part}.weight") for part in "qkv"]
        shapes = {tuple(weight.shape) for weight in weights if weight is not None}
        if any(weight is None for weight in weights) or len(shapes) != 1 or len(next(iter(shapes))) != 2:
            raise InputError(f"{source}: {name} must have q, k and v of one shape, not {', '.join(parts)}")
        rows = next(iter(shapes))[0]
        joined[f"{name}.qkv.weight"] = torch.cat([weight for weight in weights if weight is not None])
        if any(f"{part}.bias" in parts for part in "qkv"):
            zeros = torch.zeros(rows)
            joined[f"{name}.qkv.bias"] = torch.cat([parts.get(f"{part}.bias", zeros) for part in "qkv"])
    return joined
